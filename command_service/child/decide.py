"""What follows from a command: events, or a refusal that says why."""

from typing import assert_never

from command_service.child import account, consents, conversations, lifecycle, safety
from command_service.child.commands import (
    AccountCommand,
    ChildCommand,
    ConsentCommand,
    ConversationCommand,
    LifecycleCommand,
    SafetyCommand,
)
from command_service.child.state import Child
from shared.events.child import ChildEvent


def decide(command: ChildCommand, child: Child) -> list[ChildEvent]:
    """The events that make `command`, in normal form, true of `child`; none when it is true
    already. Raises a CommandRefused (errors.py), and nothing else."""
    if isinstance(command, AccountCommand):
        return account.decide(command, child)
    if isinstance(command, ConsentCommand):
        return consents.decide(command, child)
    if isinstance(command, LifecycleCommand):
        return lifecycle.decide(command, child)
    if isinstance(command, SafetyCommand):
        return safety.decide(command, child)
    if isinstance(command, ConversationCommand):
        return conversations.decide(command, child)
    assert_never(command)
