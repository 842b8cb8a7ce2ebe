"""Read model `activity`: what a child did on one UTC day."""

from collections.abc import Mapping
from datetime import UTC
from typing import assert_never, cast

from projection_worker.projections.rules import MOST_TOPICS, Happened, Rules, counted_labels
from shared.events.child import (
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
    SafetyViolationReported,
)
from shared.read_models.documents import ActivityDocument
from shared.read_models.minutes import minutes_by_day

Folds = ConversationStarted | MessageRecorded | ConversationEnded | SafetyViolationReported
"""The events that count on the day they happened."""


def keys(event: Folds, rules: Rules) -> tuple[str, ...]:
    """The ids of the documents that `event` changes: a conversation that ends has minutes on each
    day that it covers."""
    if isinstance(event, ConversationEnded):
        return tuple(_id(event.child_id, day) for day in _minutes(event, rules))
    return (_id(event.child_id, _day(event)),)


def evolve(document: ActivityDocument | None, happened: Happened[Folds]) -> ActivityDocument:
    event, day = happened.event, happened.key.rpartition("@")[2]
    after = cast(ActivityDocument, {**(document or _empty(event.child_id, day))})
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


def _empty(child_id: str, day: str) -> ActivityDocument:
    return ActivityDocument(
        _id=_id(child_id, day),
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


def _day(event: Folds) -> str:
    return event.at.astimezone(UTC).date().isoformat()


def _id(child_id: str, day: str) -> str:
    return f"{child_id}@{day}"
