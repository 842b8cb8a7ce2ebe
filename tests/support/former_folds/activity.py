"""Read model `activity`: what a child did on one UTC day."""

from datetime import UTC
from typing import assert_never, cast

from shared.events.child import (
    AlertPolicyConfigured,
    ChildDeactivated,
    ChildErased,
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
from shared.read_models.documents import ActivityDocument
from tests.support.former_folds.events import FormerEvent
from tests.support.former_folds.formulas import counted, minutes_between


def key(event: FormerEvent) -> str | None:
    """The id of the document that `event` changes, if it changes one."""
    match event:
        case (
            ConversationStarted()
            | MessageRecorded()
            | ConversationEnded()
            | SafetyViolationReported()
        ):
            return f"{event.child_id}@{_day(event)}"
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
            return None
        case _:
            assert_never(event)


def evolve(document: ActivityDocument | None, event: FormerEvent) -> ActivityDocument:
    after = cast(ActivityDocument, {**(document or _empty(event))})
    if isinstance(event, ConversationStarted):
        after["conversations"] += 1
        _add_topic(after, event.topic)
    elif isinstance(event, MessageRecorded):
        after["messages"] += 1
        after["flagged"] += bool(event.flagged_categories)
        _add_topic(after, event.topic)
    elif isinstance(event, ConversationEnded):
        minutes = minutes_between(event.started_at, event.at)
        after["minutes"] = round(after["minutes"] + minutes, 1)
    elif isinstance(event, SafetyViolationReported):
        after["violations"] += 1
    return after


def _add_topic(document: ActivityDocument, topic: str | None) -> None:
    if topic is not None:
        document["topics"] = counted(document["topics"], topic)


def _empty(event: FormerEvent) -> ActivityDocument:
    day = _day(event)
    return ActivityDocument(
        _id=f"{event.child_id}@{day}",
        child_id=event.child_id,
        day=day,
        conversations=0,
        messages=0,
        minutes=0.0,
        topics={},
        flagged=0,
        violations=0,
    )


def _day(event: FormerEvent) -> str:
    return event.at.astimezone(UTC).date().isoformat()
