"""Read model `conversations`: one document a conversation, from its start on.

What names a conversation that was never started makes none: it counts for its child alone.
"""

from typing import assert_never, cast

from projection_worker.projections.formulas import MOST_TOPICS, listed_label
from projection_worker.projections.rules import Happened, Rules
from shared.events.child import (
    AlertPolicyConfigured,
    ChildDeactivated,
    ChildErased,
    ChildEvent,
    ChildProfileUpdated,
    ChildReactivated,
    ChildRegistered,
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
    SafetyViolationAcknowledged,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.read_models.documents import ConversationDocument
from shared.read_models.engagement import conversation_engagement
from shared.read_models.minutes import minutes_between, over_at


def keys(event: ChildEvent, _rules: Rules) -> tuple[str, ...]:
    """The ids of the documents that `event` changes."""
    match event:
        case ConversationStarted() | MessageRecorded() | ConversationEnded():
            return (_id(event.child_id, event.conversation_id),)
        case SafetyViolationReported():
            named = event.conversation_id
            return () if named is None else (_id(event.child_id, named),)
        case (
            ChildRegistered()
            | ChildProfileUpdated()
            | SafetyViolationResolved()
            | SafetyViolationAcknowledged()
            | AlertPolicyConfigured()
            | ChildDeactivated()
            | ChildReactivated()
            | ParentalConsentGiven()
            | ParentalConsentWithdrawn()
            | ChildErased()
        ):
            return ()
        case _:
            assert_never(event)


def evolve(
    document: ConversationDocument | None, happened: Happened
) -> ConversationDocument | None:
    """None as long as the conversation has not started."""
    event = happened.event
    if isinstance(event, ConversationStarted):
        return document or _started(event)
    if document is None:
        return None
    after = cast(ConversationDocument, {**document})
    if isinstance(event, MessageRecorded):
        after["message_count"] += 1
        after["flagged"] += bool(event.flagged_categories)
        if event.topic is not None:
            after["topics"] = listed_label(after["topics"], event.topic, MOST_TOPICS)
            after["topic"] = after["topic"] or event.topic
    elif isinstance(event, ConversationEnded):
        over = over_at(event.started_at, event.at, happened.rules.conversation_limit)
        after["ended_at"] = over
        after["duration_minutes"] = minutes_between(event.started_at, over)
    elif isinstance(event, SafetyViolationReported):
        after["safety_violations"] += 1
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
