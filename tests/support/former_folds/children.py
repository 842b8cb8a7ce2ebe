"""Read model `children`: one document a child, with everything that is counted about it.

Total, as every fold: it takes any events in any order. What happens before a registration makes a
document without a name and a parent; what happens after an erasure changes nothing.
"""

from typing import Any, assert_never, cast

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
from shared.events.personal import Personal
from shared.read_models.documents import ChildDocument, ChildStatus, ConsentEntry
from shared.read_models.formulas import penalty
from tests.support.former_folds.events import FormerEvent
from tests.support.former_folds.formulas import (
    counted,
    engagement_level,
    minutes_between,
    profile_completeness,
    safety_score,
    safety_status,
)

PERSONAL_FIELDS = ("name", "device_id", "preferences", "learning_style", "interests")


def evolve(document: ChildDocument | None, event: FormerEvent) -> ChildDocument:
    """The document after `event`; its `version` is the projector's to set."""
    before = _empty(event) if document is None else document
    if before["status"] == ChildStatus.ERASED.value:
        return cast(ChildDocument, {**before})
    after = cast(ChildDocument, {**before, "updated_at": event.at})
    match event:
        case ChildRegistered():
            _register(after, event)
        case ChildProfileUpdated():
            _update_profile(after, event)
        case SafetyViolationReported():
            _report(after, event)
        case SafetyViolationResolved():
            _resolve(after, event)
        case AlertPolicyConfigured() | SafetyViolationAcknowledged():
            pass
        case ConversationStarted():
            after["conversation_count"] += 1
            after["engagement_level"] = engagement_level(after["conversation_count"])
            after["last_interaction_at"] = event.at
        case MessageRecorded():
            _record(after, event)
        case ConversationEnded():
            minutes = minutes_between(event.started_at, event.at)
            after["total_minutes"] = round(after["total_minutes"] + minutes, 1)
            after["last_interaction_at"] = event.at
        case ChildDeactivated():
            after["status"] = ChildStatus.DEACTIVATED.value
        case ChildReactivated():
            after["status"] = ChildStatus.ACTIVE.value
        case ParentalConsentGiven():
            after["consents"] = {**after["consents"], event.purpose.value: _consent(event)}
        case ParentalConsentWithdrawn():
            _withdraw_consent(after, event)
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
    document["udid"] = event.udid.sealed
    document["name_tokens"] = list(event.name.search_tokens)
    for name in PERSONAL_FIELDS:
        cast(dict[str, Any], document)[name] = _sealed(getattr(event, name))
    document["profile_completeness"] = profile_completeness(document)


def _update_profile(document: ChildDocument, event: ChildProfileUpdated) -> None:
    fields = cast(dict[str, Any], document)
    for name in PERSONAL_FIELDS:
        if (value := getattr(event, name)) is not None:
            fields[name] = value.sealed
    for name in event.cleared:
        if name in PERSONAL_FIELDS:
            fields[name] = None
    if event.name is not None:
        document["name_tokens"] = list(event.name.search_tokens)
    if event.age is not None:
        document["age"] = event.age
    document["profile_completeness"] = profile_completeness(document)


def _report(document: ChildDocument, event: SafetyViolationReported) -> None:
    document["safety_violations_count"] += 1
    document["open_violations_count"] += 1
    document["violation_categories"] = counted(
        document["violation_categories"], event.violation_type
    )
    document["last_safety_check"] = event.at
    _add_penalty(document, penalty(event.severity, None))


def _resolve(document: ChildDocument, event: SafetyViolationResolved) -> None:
    document["open_violations_count"] = max(0, document["open_violations_count"] - 1)
    document["last_safety_check"] = event.at
    _add_penalty(document, penalty(event.severity, event.outcome) - penalty(event.severity, None))


def _add_penalty(document: ChildDocument, points: float) -> None:
    document["penalty_points"] = max(0.0, document["penalty_points"] + points)
    document["safety_score"] = safety_score(document["penalty_points"])
    document["safety_status"] = safety_status(
        document["safety_score"], document["open_violations_count"]
    ).value


def _record(document: ChildDocument, event: MessageRecorded) -> None:
    document["total_messages"] += 1
    document["flagged_content_count"] += bool(event.flagged_categories)
    document["last_interaction_at"] = event.at
    for skill in event.learning_skills:
        document["learning_metrics"] = counted(document["learning_metrics"], skill)


def _consent(event: ParentalConsentGiven) -> ConsentEntry:
    return ConsentEntry(
        notice_version=event.notice_version,
        method=event.method.value,
        given_at=event.at,
        withdrawn_at=None,
    )


def _withdraw_consent(document: ChildDocument, event: ParentalConsentWithdrawn) -> None:
    purpose = event.purpose.value
    if purpose not in document["consents"]:
        return
    withdrawn = cast(ConsentEntry, {**document["consents"][purpose], "withdrawn_at": event.at})
    document["consents"] = {**document["consents"], purpose: withdrawn}


def _tombstone(document: ChildDocument, event: ChildErased) -> ChildDocument:
    """What remains of an erased child: the projected version, so that no replay restores data."""
    tombstone = _empty(event)
    tombstone["parent_id"] = document["parent_id"]
    tombstone["created_at"] = document["created_at"]
    tombstone["status"] = ChildStatus.ERASED.value
    return tombstone


def _empty(event: FormerEvent) -> ChildDocument:
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
        engagement_level=engagement_level(0).value,
        learning_metrics={},
        flagged_content_count=0,
        safety_violations_count=0,
        open_violations_count=0,
        penalty_points=0.0,
        safety_score=safety_score(0.0),
        safety_status=safety_status(safety_score(0.0), 0).value,
        last_safety_check=None,
        violation_categories={},
        consents={},
    )


def _sealed(value: Personal[Any] | None) -> str | None:
    return None if value is None else value.sealed
