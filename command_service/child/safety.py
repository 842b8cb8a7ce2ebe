"""Safety violations, and when they alert."""

from dataclasses import replace
from typing import Any, assert_never

from command_service.child.account import require_active, require_not_erased
from command_service.child.commands import (
    UNCHANGED,
    AcknowledgeSafetyViolation,
    AssignSafetyViolation,
    ConfigureAlerts,
    ReopenSafetyViolation,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    SafetyCommand,
)
from command_service.child.errors import (
    ViolationAlreadyAssigned,
    ViolationAlreadyResolved,
    ViolationNotFound,
    ViolationNotResolved,
)
from command_service.child.state import Child, Violation
from shared.events.child import (
    AlertPolicy,
    AlertPolicyConfigured,
    ChildEvent,
    SafetyEvent,
    SafetyViolationAcknowledged,
    SafetyViolationAssigned,
    SafetyViolationReopened,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.events.personal import Personal


def decide(command: SafetyCommand, child: Child) -> list[ChildEvent]:
    match command:
        case ReportSafetyViolation():
            return _report(command, child)
        case ResolveSafetyViolation():
            return _resolve(command, child)
        case ReopenSafetyViolation():
            return _reopen(command, child)
        case AssignSafetyViolation():
            return _assign(command, child)
        case AcknowledgeSafetyViolation():
            return _acknowledge(command, child)
        case ConfigureAlerts():
            return _configure_alerts(command, child)
        case _:
            assert_never(command)


def evolve(child: Child, event: SafetyEvent) -> Child:
    match event:
        case SafetyViolationReported():
            return _open(child, event.violation_id, Violation(event.violation_type, event.severity))
        case SafetyViolationResolved():
            return _resolved(child, event)
        case SafetyViolationReopened():
            return _reopened(child, event)
        case SafetyViolationAssigned():
            return _changed(child, event.violation_id, assignee=event.assignee)
        case SafetyViolationAcknowledged():
            return _changed(child, event.violation_id, acknowledged=True)
        case AlertPolicyConfigured():
            return replace(child, alert_policy=event.policy)
        case _:
            assert_never(event)


def _report(command: ReportSafetyViolation, child: Child) -> list[ChildEvent]:
    require_not_erased(child)  # also on a deactivated child: what was found late still counts
    if child.violation(command.violation_id) is not None:
        return []  # a repeated report of the same violation: it is known
    # a signal is never refused for what its bear cannot know: the start of the conversation may
    # have been lost or refused
    talk = command.conversation_id
    known = talk is not None and child.had_conversation(talk)
    return [
        SafetyViolationReported(
            child_id=command.child_id,
            at=command.at,
            violation_id=command.violation_id,
            violation_type=command.violation_type,
            severity=command.severity,
            details=None if command.details is None else Personal(command.details),
            conversation_id=talk if known else None,
        )
    ]


def _resolve(command: ResolveSafetyViolation, child: Child) -> list[ChildEvent]:
    require_not_erased(child)  # an incident is looked into also once the account is closed
    violation = _open_one(child, command.violation_id)
    return [
        SafetyViolationResolved(
            child_id=command.child_id,
            at=command.at,
            violation_id=command.violation_id,
            violation_type=violation.violation_type,
            severity=violation.severity,
            outcome=command.outcome,
            note=None if command.note is None else Personal(command.note),
            resolved_by=command.resolved_by,
        )
    ]


def _reopen(command: ReopenSafetyViolation, child: Child) -> list[ChildEvent]:
    require_not_erased(child)  # a mistake is put right also once the account is closed
    violation = child.violation(command.violation_id)
    if violation is None:
        raise ViolationNotFound
    if violation.outcome is None:
        raise ViolationNotResolved
    return [
        SafetyViolationReopened(
            child_id=command.child_id,
            at=command.at,
            violation_id=command.violation_id,
            violation_type=violation.violation_type,
            severity=violation.severity,
            outcome=violation.outcome,
            reason=Personal(command.reason),
        )
    ]


def _assign(command: AssignSafetyViolation, child: Child) -> list[ChildEvent]:
    require_not_erased(child)
    present = _open_one(child, command.violation_id).assignee
    if present == command.assignee:
        return []
    if command.instead_of not in (UNCHANGED, present):
        raise ViolationAlreadyAssigned
    return [
        SafetyViolationAssigned(
            child_id=command.child_id,
            at=command.at,
            violation_id=command.violation_id,
            assignee=command.assignee,
        )
    ]


def _acknowledge(command: AcknowledgeSafetyViolation, child: Child) -> list[ChildEvent]:
    require_not_erased(child)  # what alerted may be seen also once the account is closed
    violation = child.violation(command.violation_id)
    if violation is None:
        raise ViolationNotFound
    if violation.acknowledged:
        return []  # seen is seen: the first time counts
    return [
        SafetyViolationAcknowledged(
            child_id=command.child_id, at=command.at, violation_id=command.violation_id
        )
    ]


def _configure_alerts(command: ConfigureAlerts, child: Child) -> list[ChildEvent]:
    require_active(child)
    policy = AlertPolicy(
        threshold=command.threshold,
        count=command.count,
        window_hours=command.window_hours,
        channels=command.channels,
    )
    return [AlertPolicyConfigured(child_id=command.child_id, at=command.at, policy=policy)]


def _open_one(child: Child, violation_id: str) -> Violation:
    violation = child.open_violations.get(violation_id)
    if violation is None:
        is_resolved = violation_id in child.resolved_violations
        raise ViolationAlreadyResolved if is_resolved else ViolationNotFound
    return violation


def _open(child: Child, violation_id: str, violation: Violation) -> Child:
    return replace(child, open_violations=child.open_violations.insert(violation_id, violation))


def _resolved(child: Child, event: SafetyViolationResolved) -> Child:
    known = child.violation(event.violation_id)
    violation = known or Violation(event.violation_type, event.severity)
    resolved = replace(violation, outcome=event.outcome)
    return replace(
        child,
        open_violations=child.open_violations.discard(event.violation_id),
        resolved_violations=child.resolved_violations.insert(event.violation_id, resolved),
    )


def _reopened(child: Child, event: SafetyViolationReopened) -> Child:
    known = child.violation(event.violation_id)
    violation = known or Violation(event.violation_type, event.severity)
    resolved = child.resolved_violations.discard(event.violation_id)
    return _open(
        replace(child, resolved_violations=resolved),
        event.violation_id,
        replace(violation, outcome=None),
    )


def _changed(child: Child, violation_id: str, **fields: Any) -> Child:
    """With these fields of the violation, if it is known."""
    known = child.violation(violation_id)
    if known is None:
        return child
    changed = replace(known, **fields)
    if violation_id in child.open_violations:
        return _open(child, violation_id, changed)
    resolved = child.resolved_violations.insert(violation_id, changed)
    return replace(child, resolved_violations=resolved)
