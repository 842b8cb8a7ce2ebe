"""Read model `children`: one document a child, with the numbers that parents and staff see of it.

Total, as every fold: it takes any events in any order. What happens before a registration makes a
document without a name and a parent; what happens after an erasure changes nothing."""

from datetime import datetime
from typing import Any, assert_never, cast

from projection_worker.projections.rules import MOST_LABELS, Rules, counted_labels
from shared.events.child import (
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
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.events.personal import IS_SEALED, Personal, fields_marked
from shared.read_models.documents import (
    ChildDocument,
    ChildStatus,
    ConsentEntry,
    EngagementLevel,
    SafetyStatus,
)
from shared.read_models.formulas import minutes_between, over_at, penalty

SEALED_FIELDS = fields_marked(ChildDocument, IS_SEALED)
REGISTERED_FIELDS = [name for name in SEALED_FIELDS if name in ChildRegistered.__annotations__]
UPDATED_FIELDS = [name for name in SEALED_FIELDS if name in ChildProfileUpdated.__annotations__]
FULL_SCORE = 100.0

Folds = (
    ChildRegistered
    | ChildProfileUpdated
    | SafetyViolationReported
    | SafetyViolationResolved
    | SafetyViolationReopened
    | ConversationStarted
    | MessageRecorded
    | ConversationEnded
    | ChildDeactivated
    | ChildReactivated
    | ParentalConsentGiven
    | ParentalConsentWithdrawn
    | ChildErased
)
"""The events of which a child's document shows more than that something happened, and when."""


def evolve(document: ChildDocument | None, event: ChildEvent, rules: Rules) -> ChildDocument:
    """The document after `event`, whichever it is; its `version` is the projector's to set."""
    before = _empty(event) if document is None else document
    if before["status"] == ChildStatus.ERASED.value:
        return cast(ChildDocument, {**before})
    after = cast(ChildDocument, {**before, "updated_at": event.at})
    return _folded(after, event, rules) if isinstance(event, Folds) else after


def _folded(after: ChildDocument, event: Folds, rules: Rules) -> ChildDocument:
    match event:
        case ChildRegistered():
            _register(after, event)
        case ChildProfileUpdated():
            _update_profile(after, event)
        case SafetyViolationReported():
            _report(after, event)
        case SafetyViolationResolved() | SafetyViolationReopened():
            _settle(after, event)
        case ConversationStarted():
            after["conversation_count"] += 1
            after["engagement_level"] = engagement_level(after["conversation_count"])
            after["last_interaction_at"] = event.at
        case MessageRecorded():
            _record(after, event)
        case ConversationEnded():
            over = over_at(event.started_at, event.at, rules.conversation_limit)
            after["total_minutes"] += minutes_between(event.started_at, over)
            after["last_interaction_at"] = event.at
        case ChildDeactivated():
            after["status"] = ChildStatus.DEACTIVATED.value
        case ChildReactivated():
            after["status"] = ChildStatus.ACTIVE.value
        case ParentalConsentGiven() | ParentalConsentWithdrawn():
            _change_consent(after, event)
        case ChildErased():
            return _tombstone(after, event)
        case _:
            assert_never(event)
    return after


def _register(document: ChildDocument, event: ChildRegistered) -> None:
    document["parent_id"] = event.parent_id
    document["status"] = ChildStatus.ACTIVE.value
    document["created_at"] = event.at
    document["age"] = event.age
    document["name_tokens"] = list(event.name.search_tokens)
    for name in REGISTERED_FIELDS:
        given: Personal[Any] | None = getattr(event, name)
        cast(dict[str, Any], document)[name] = None if given is None else given.sealed
    document["profile_completeness"] = profile_completeness(document)


def _update_profile(document: ChildDocument, event: ChildProfileUpdated) -> None:
    fields = cast(dict[str, Any], document)
    for name in UPDATED_FIELDS:
        if name in event.cleared:
            fields[name] = None
        elif (value := getattr(event, name)) is not None:
            fields[name] = value.sealed
    if event.name is not None:
        document["name_tokens"] = list(event.name.search_tokens)
    if event.age is not None:
        document["age"] = event.age
    document["profile_completeness"] = profile_completeness(document)


def _report(document: ChildDocument, event: SafetyViolationReported) -> None:
    document["safety_violations_count"] += 1
    document["open_violations_count"] += 1
    document["violation_categories"] = counted_labels(
        document["violation_categories"], [event.violation_type], MOST_LABELS
    )
    _add_penalty(document, event.at, penalty(event.severity, None))


def _settle(
    document: ChildDocument, event: SafetyViolationResolved | SafetyViolationReopened
) -> None:
    one = 1 if isinstance(event, SafetyViolationResolved) else -1  # which takes the other back
    document["open_violations_count"] = max(0, document["open_violations_count"] - one)
    more = penalty(event.severity, event.outcome) - penalty(event.severity, None)
    _add_penalty(document, event.at, one * more)


def _add_penalty(document: ChildDocument, at: datetime, points: float) -> None:
    document["last_safety_check"] = at
    document["penalty_points"] = max(0.0, document["penalty_points"] + points)
    score = document["safety_score"] = max(0.0, FULL_SCORE - document["penalty_points"])
    document["safety_status"] = safety_status(score, document["open_violations_count"]).value


def _record(document: ChildDocument, event: MessageRecorded) -> None:
    document["total_messages"] += 1
    document["flagged_content_count"] += bool(event.flagged_categories)
    document["last_interaction_at"] = event.at
    metrics = document["learning_metrics"]
    document["learning_metrics"] = counted_labels(metrics, event.learning_skills, MOST_LABELS)


def _change_consent(
    document: ChildDocument, event: ParentalConsentGiven | ParentalConsentWithdrawn
) -> None:
    consents, purpose = document["consents"], event.purpose.value
    if isinstance(event, ParentalConsentGiven):
        entry = ConsentEntry(
            notice_version=event.notice_version,
            method=event.method.value,
            given_at=event.at,
            withdrawn_at=None,
        )
    elif purpose in consents:
        entry = {**consents[purpose], "withdrawn_at": event.at}
    else:
        return
    document["consents"] = {**consents, purpose: entry}


def profile_completeness(document: ChildDocument) -> float:
    """0.0 to 100.0: 80 for name, age, parent and device, 20 for what the child likes."""
    basics = (document["name"], document["age"], document["parent_id"], document["device_id"])
    tastes = (document["preferences"], document["learning_style"], document["interests"])
    return round(80 * sum(map(bool, basics)) / 4 + 20 * sum(map(bool, tastes)) / 3, 1)


def safety_status(score: float, open_violations: int) -> SafetyStatus:
    """Never excellent while somebody still has to look at a violation."""
    if score >= 90:
        return SafetyStatus.GOOD if open_violations else SafetyStatus.EXCELLENT
    if score >= 75:
        return SafetyStatus.GOOD
    if score >= 60:
        return SafetyStatus.FAIR
    return SafetyStatus.NEEDS_ATTENTION


def engagement_level(conversation_count: int) -> EngagementLevel:
    if conversation_count == 0:
        return EngagementLevel.NEW
    if conversation_count < 5:
        return EngagementLevel.LEARNING
    if conversation_count < 20:
        return EngagementLevel.ENGAGED
    return EngagementLevel.ACTIVE


def _tombstone(document: ChildDocument, event: ChildErased) -> ChildDocument:
    """What stays of an erased child: the checkpoint, so that no replay brings anything back."""
    return {
        **_empty(event),
        "parent_id": document["parent_id"],
        "created_at": document["created_at"],
        "status": ChildStatus.ERASED.value,
    }


def _empty(event: ChildEvent) -> ChildDocument:
    return ChildDocument(
        _id=event.child_id,
        parent_id="",
        name=None,
        name_tokens=[],
        age=0,
        udid=None,
        device_id=None,
        preferences=None,
        learning_style=None,
        interests=None,
        status=ChildStatus.ACTIVE.value,
        created_at=event.at,
        updated_at=event.at,
        version=0,
        profile_completeness=0.0,
        conversation_count=0,
        total_messages=0,
        total_minutes=0.0,
        last_interaction_at=None,
        engagement_level=EngagementLevel.NEW.value,
        learning_metrics={},
        flagged_content_count=0,
        safety_violations_count=0,
        open_violations_count=0,
        penalty_points=0.0,
        safety_score=FULL_SCORE,
        safety_status=SafetyStatus.EXCELLENT.value,
        last_safety_check=None,
        violation_categories={},
        consents={},
    )
