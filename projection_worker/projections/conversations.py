"""Read model `conversations`: one document a conversation, from its start on.

What names a conversation that was never started makes none: it counts for its child alone.
"""

from typing import assert_never, cast

from projection_worker.projections.rules import MOST_TOPICS, Happened, Rules, listed_label
from shared.events.child import (
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    SafetyViolationReported,
)
from shared.read_models.documents import ConversationDocument
from shared.read_models.engagement import conversation_engagement
from shared.read_models.minutes import minutes_between, over_at

Folds = ConversationStarted | MessageRecorded | ConversationEnded | SafetyViolationReported
"""The events that change a conversation's document."""


def keys(event: Folds, _rules: Rules) -> tuple[str, ...]:
    """The ids of the documents that `event` changes."""
    named = event.conversation_id
    return () if named is None else (_id(event.child_id, named),)


def evolve(
    document: ConversationDocument | None, happened: Happened[Folds]
) -> ConversationDocument | None:
    """None as long as the conversation has not started."""
    event = happened.event
    if isinstance(event, ConversationStarted):
        return document or _started(event)
    if document is None:
        return None
    after = cast(ConversationDocument, {**document})
    match event:
        case MessageRecorded():
            after["message_count"] += 1
            after["flagged"] += bool(event.flagged_categories)
            if event.topic is not None:
                after["topics"] = listed_label(after["topics"], event.topic, MOST_TOPICS)
                after["topic"] = after["topic"] or event.topic
        case ConversationEnded():
            over = over_at(event.started_at, event.at, happened.rules.conversation_limit)
            after["ended_at"] = over
            after["duration_minutes"] = minutes_between(event.started_at, over)
        case SafetyViolationReported():
            after["safety_violations"] += 1
        case _:
            assert_never(event)
    after["engagement_score"] = conversation_engagement(
        after["message_count"], after["duration_minutes"]
    )
    return after


def _started(event: ConversationStarted) -> ConversationDocument:
    return ConversationDocument(
        _id=_id(event.child_id, event.conversation_id),
        child_id=event.child_id,
        conversation_id=event.conversation_id,
        started_at=event.at,
        ended_at=None,
        duration_minutes=0.0,
        message_count=0,
        topic=event.topic,
        topics=[] if event.topic is None else [event.topic],
        engagement_score=0.0,
        flagged=0,
        safety_violations=0,
    )


def _id(child_id: str, conversation_id: str) -> str:
    return f"{child_id}/{conversation_id}"
