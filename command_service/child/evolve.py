"""State from events. Total: what happened is never refused, in whatever order it is told."""

from dataclasses import replace
from typing import TypeVar, assert_never

from command_service.child.state import (
    AccountStatus,
    Child,
    GivenConsent,
    Profile,
    Violation,
)
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

T = TypeVar("T")

CHANGES_NOTHING = frozenset({MessageRecorded})
"""Events that nothing is decided by: most of a long stream, so whoever folds one may leave them
out."""


def evolve(child: Child, event: ChildEvent) -> Child:
    match event:
        case ChildRegistered():
            return _registered(child, event)
        case ChildProfileUpdated():
            return replace(child, profile=_updated(child.profile, event))
        case SafetyViolationReported() | SafetyViolationResolved() | SafetyViolationAcknowledged():
            return _violation(child, event)
        case AlertPolicyConfigured():
            return replace(child, alert_policy=event.policy)
        case ConversationStarted():
            return _conversation_started(child, event)
        case MessageRecorded():
            return child
        case ConversationEnded():
            return _conversation_ended(child, event)
        case ChildDeactivated():
            return replace(child, status=AccountStatus.DEACTIVATED)
        case ChildReactivated():
            return replace(child, status=AccountStatus.ACTIVE)
        case ParentalConsentGiven():
            given = GivenConsent(event.notice_version, event.method)
            return replace(child, consents=child.consents.insert(event.purpose, given))
        case ParentalConsentWithdrawn():
            return _consent_withdrawn(child, event)
        case ChildErased():
            # whose child it was stays known: the same parent may ask for erasure again
            return Child(status=AccountStatus.ERASED, parent_id=child.parent_id)
        case _:
            assert_never(event)


def _registered(child: Child, event: ChildRegistered) -> Child:
    profile = Profile(
        name=event.name,
        age=event.age,
        udid=event.udid,
        device_id=event.device_id,
        preferences=event.preferences,
        learning_style=event.learning_style,
        interests=event.interests,
    )
    return replace(child, status=AccountStatus.ACTIVE, parent_id=event.parent_id, profile=profile)


def _updated(profile: Profile, event: ChildProfileUpdated) -> Profile:
    def newest(field: str, old: T | None, new: T | None) -> T | None:
        if field in event.cleared:
            return None
        return old if new is None else new

    return Profile(
        name=newest("name", profile.name, event.name),
        age=newest("age", profile.age, event.age),
        udid=profile.udid,
        device_id=newest("device_id", profile.device_id, event.device_id),
        preferences=newest("preferences", profile.preferences, event.preferences),
        learning_style=newest("learning_style", profile.learning_style, event.learning_style),
        interests=newest("interests", profile.interests, event.interests),
    )


def _violation(
    child: Child,
    event: SafetyViolationReported | SafetyViolationResolved | SafetyViolationAcknowledged,
) -> Child:
    match event:
        case SafetyViolationReported():
            return _open(child, event.violation_id, Violation(event.violation_type, event.severity))
        case SafetyViolationResolved():
            return _resolved(child, event)
        case SafetyViolationAcknowledged():
            return _acknowledged(child, event.violation_id)


def _open(child: Child, violation_id: str, violation: Violation) -> Child:
    return replace(child, open_violations=child.open_violations.insert(violation_id, violation))


def _resolved(child: Child, event: SafetyViolationResolved) -> Child:
    known = child.violation(event.violation_id)
    violation = known or Violation(event.violation_type, event.severity)
    return replace(
        child,
        open_violations=child.open_violations.discard(event.violation_id),
        resolved_violations=child.resolved_violations.insert(event.violation_id, violation),
    )


def _acknowledged(child: Child, violation_id: str) -> Child:
    known = child.violation(violation_id)
    if known is None:
        return child
    seen = replace(known, acknowledged=True)
    if violation_id in child.open_violations:
        return _open(child, violation_id, seen)
    resolved = child.resolved_violations.insert(violation_id, seen)
    return replace(child, resolved_violations=resolved)


def _conversation_started(child: Child, event: ConversationStarted) -> Child:
    now_open = child.open_conversations.insert(event.conversation_id, event.at)
    return replace(child, open_conversations=now_open)


def _conversation_ended(child: Child, event: ConversationEnded) -> Child:
    return replace(
        child,
        open_conversations=child.open_conversations.discard(event.conversation_id),
        ended_conversations=child.ended_conversations.insert(event.conversation_id, None),
    )


def _consent_withdrawn(child: Child, event: ParentalConsentWithdrawn) -> Child:
    return replace(child, consents=child.consents.discard(event.purpose))
