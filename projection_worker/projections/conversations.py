"""Read models `conversations`: one document a conversation, from its start on; and `activity`: what
a child did on one UTC day.

What names a conversation that was never started makes no document of it: it counts for its child
alone."""

from collections.abc import Mapping
from datetime import UTC
from typing import assert_never, cast, get_args

from projection_worker.projections.rules import (
    MOST_TOPICS,
    Happened,
    Projection,
    Rules,
    counted_labels,
    listed_label,
)
from shared.events.child import (
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    SafetyViolationReported,
)
from shared.read_models.documents import ActivityDocument, ConversationDocument, Model
from shared.read_models.formulas import (
    conversation_engagement,
    minutes_between,
    minutes_by_day,
    over_at,
)

TalkEvent = ConversationStarted | MessageRecorded | ConversationEnded | SafetyViolationReported
"""The events that change documents of conversations, and of the days on which they happened."""


def _conversation_of(event: TalkEvent, _rules: Rules) -> tuple[str, ...]:
    named = event.conversation_id
    return () if named is None else (_conversation_id(event.child_id, named),)


def _conversation_after(
    document: ConversationDocument | None, happened: Happened[TalkEvent]
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
        _id=_conversation_id(event.child_id, event.conversation_id),
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


def _conversation_id(child_id: str, conversation_id: str) -> str:
    return f"{child_id}/{conversation_id}"


def _days_of(event: TalkEvent, rules: Rules) -> tuple[str, ...]:
    """A conversation that ends has minutes on each day that it covers."""
    if isinstance(event, ConversationEnded):
        return tuple(_day_id(event.child_id, day) for day in _minutes(event, rules))
    return (_day_id(event.child_id, event.at.astimezone(UTC).date().isoformat()),)


def _day_after(
    document: ActivityDocument | None, happened: Happened[TalkEvent]
) -> ActivityDocument:
    event, day = happened.event, happened.key.rpartition("@")[2]
    after = cast(ActivityDocument, {**(document or _empty_day(event.child_id, day))})
    match event:
        case ConversationStarted():
            after["conversations"] += 1
            _add_topic(after, event.topic)
        case MessageRecorded():
            after["messages"] += 1
            after["flagged"] += bool(event.flagged_categories)
            _add_topic(after, event.topic)
        case ConversationEnded():
            after["minutes"] += _minutes(event, happened.rules)[day]
        case SafetyViolationReported():
            after["violations"] += 1
        case _:
            assert_never(event)
    return after


def _add_topic(document: ActivityDocument, topic: str | None) -> None:
    if topic is not None:
        document["topics"] = counted_labels(document["topics"], [topic], MOST_TOPICS)


def _empty_day(child_id: str, day: str) -> ActivityDocument:
    return ActivityDocument(
        _id=_day_id(child_id, day),
        child_id=child_id,
        day=day,
        conversations=0,
        messages=0,
        minutes=0.0,
        topics={},
        flagged=0,
        violations=0,
    )


def _minutes(event: ConversationEnded, rules: Rules) -> Mapping[str, float]:
    return minutes_by_day(event.started_at, event.at, rules.conversation_limit)


def _day_id(child_id: str, day: str) -> str:
    return f"{child_id}@{day}"


CONVERSATIONS = Projection(
    Model.CONVERSATIONS, get_args(TalkEvent), _conversation_of, _conversation_after
)
ACTIVITY = Projection(Model.ACTIVITY, get_args(TalkEvent), _days_of, _day_after)
