"""State from events. Total: what happened is never refused, in whatever order it is told."""

from typing import assert_never

from command_service.child import account, consents, conversations, lifecycle, safety
from command_service.child.state import Child
from shared.events.child import (
    AccountEvent,
    ChildEvent,
    ConsentEvent,
    ConversationEvent,
    LifecycleEvent,
    MessageRecorded,
    SafetyEvent,
)

CHANGES_NOTHING = frozenset({MessageRecorded})
"""Events that nothing is decided by: most of a long stream, so whoever folds one may leave them
out."""


def evolve(child: Child, event: ChildEvent) -> Child:
    if isinstance(event, ConversationEvent):
        return conversations.evolve(child, event)
    if isinstance(event, SafetyEvent):
        return safety.evolve(child, event)
    if isinstance(event, AccountEvent):
        return account.evolve(child, event)
    if isinstance(event, ConsentEvent):
        return consents.evolve(child, event)
    if isinstance(event, LifecycleEvent):
        return lifecycle.evolve(child, event)
    assert_never(event)
