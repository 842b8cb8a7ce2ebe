"""Read model `conversations`: one document a conversation, from its start on.

What names a conversation that was never started makes none: it counts for its child alone.
"""

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
from shared.read_models.documents import ConversationDocument
from tests.support.former_folds.events import FormerEvent
from tests.support.former_folds.formulas import conversation_engagement, minutes_between


def key(event: FormerEvent) -> str | None:
    """The id of the document that `event` changes, if it changes one."""
    match event:
        case ConversationStarted() | MessageRecorded() | ConversationEnded():
            return _id(event.child_id, event.conversation_id)
        case SafetyViolationReported():
            named = event.conversation_id
            return _id(event.child_id, named) if named is not None else None
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


def evolve(
    document: ConversationDocument | None, event: FormerEvent
) -> ConversationDocument | None:
    """None as long as the conversation has not started."""
    if isinstance(event, ConversationStarted):
        return document or _started(event)
    if document is None:
        return None
    after = cast(ConversationDocument, {**document})
    if isinstance(event, MessageRecorded):
        after["message_count"] += 1
        after["flagged"] += bool(event.flagged_categories)
        if event.topic is not None and event.topic not in after["topics"]:
            after["topics"] = [*after["topics"], event.topic]
            after["topic"] = after["topic"] or event.topic
    elif isinstance(event, ConversationEnded):
        after["ended_at"] = event.at
        after["duration_minutes"] = minutes_between(event.started_at, event.at)
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
