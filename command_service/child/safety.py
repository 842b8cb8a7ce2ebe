"""Deciding about safety violations and when they alert."""

from command_service.child.commands import (
    AcknowledgeSafetyViolation,
    ConfigureAlerts,
    ReportSafetyViolation,
    ResolveSafetyViolation,
)
from command_service.child.errors import ViolationAlreadyResolved, ViolationNotFound
from command_service.child.state import Child, require_active, require_not_erased
from shared.events.child import (
    AlertPolicy,
    AlertPolicyConfigured,
    ChildEvent,
    SafetyViolationAcknowledged,
    SafetyViolationReported,
    SafetyViolationResolved,
)
from shared.events.personal import Personal


def report_violation(command: ReportSafetyViolation, child: Child) -> list[ChildEvent]:
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


def resolve_violation(command: ResolveSafetyViolation, child: Child) -> list[ChildEvent]:
    require_not_erased(child)  # an incident is looked into also once the account is closed
    violation = child.open_violations.get(command.violation_id)
    if violation is None:
        is_resolved = command.violation_id in child.resolved_violations
        raise ViolationAlreadyResolved if is_resolved else ViolationNotFound
    return [
        SafetyViolationResolved(
            child_id=command.child_id,
            at=command.at,
            violation_id=command.violation_id,
            violation_type=violation.violation_type,
            severity=violation.severity,
            outcome=command.outcome,
        )
    ]


def acknowledge_violation(command: AcknowledgeSafetyViolation, child: Child) -> list[ChildEvent]:
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


def configure_alerts(command: ConfigureAlerts, child: Child) -> list[ChildEvent]:
    require_active(child)
    policy = AlertPolicy(
        threshold=command.threshold,
        count=command.count,
        window_hours=command.window_hours,
        channels=command.channels,
    )
    return [AlertPolicyConfigured(child_id=command.child_id, at=command.at, policy=policy)]
