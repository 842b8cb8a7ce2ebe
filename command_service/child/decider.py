"""The child as a decider: events from a command and a child, the next child from each event.

Each part of a child has a file with its own commands and events; here is only who is asked.
"""

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
from shared.events.child import (
    AccountEvent,
    ChildEvent,
    ConversationEvent,
    LifecycleEvent,
    MessageRecorded,
    SafetyEvent,
)

CHANGES_NOTHING = frozenset({MessageRecorded})
"""Events that nothing is decided by: most of a long stream, so whoever folds one may leave them
out."""


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


def evolve(child: Child, event: ChildEvent) -> Child:
    """The child after `event`. Total: what happened is never refused, in whatever order it is
    told."""
    if isinstance(event, ConversationEvent):
        return conversations.evolve(child, event)
    if isinstance(event, SafetyEvent):
        return safety.evolve(child, event)
    if isinstance(event, AccountEvent):
        return account.evolve(child, event)
    if isinstance(event, LifecycleEvent):
        return lifecycle.evolve(child, event)
    assert_never(event)
