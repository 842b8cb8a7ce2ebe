"""What follows from a command: events, or a refusal that says why."""

from typing import assert_never

from command_service.child import account, conversations, safety
from command_service.child.commands import (
    AcknowledgeSafetyViolation,
    ChildCommand,
    ConfigureAlerts,
    DeactivateChild,
    EndConversation,
    EraseChild,
    GiveConsent,
    ReactivateChild,
    RecordMessage,
    RegisterChild,
    ReportSafetyViolation,
    ResolveSafetyViolation,
    StartConversation,
    UpdateChildProfile,
    WithdrawConsent,
)
from command_service.child.state import Child
from shared.events.child import ChildEvent


def decide(command: ChildCommand, child: Child) -> list[ChildEvent]:
    """The events that make `command`, in normal form, true of `child`; none when it is true
    already. Raises a CommandRefused (errors.py), and nothing else."""
    match command:
        case RegisterChild():
            return account.register(command, child)
        case UpdateChildProfile():
            return account.update_profile(command, child)
        case ReportSafetyViolation():
            return safety.report_violation(command, child)
        case ResolveSafetyViolation():
            return safety.resolve_violation(command, child)
        case AcknowledgeSafetyViolation():
            return safety.acknowledge_violation(command, child)
        case ConfigureAlerts():
            return safety.configure_alerts(command, child)
        case StartConversation():
            return conversations.start_conversation(command, child)
        case RecordMessage():
            return conversations.record_message(command, child)
        case EndConversation():
            return conversations.end_conversation(command, child)
        case DeactivateChild():
            return account.deactivate(command, child)
        case ReactivateChild():
            return account.reactivate(command, child)
        case GiveConsent():
            return account.give_consent(command, child)
        case WithdrawConsent():
            return account.withdraw_consent(command, child)
        case EraseChild():
            return account.erase(command, child)
        case _:
            assert_never(command)
