"""Refusals that come from who asks and from how commands meet, not from the domain."""

from command_service.child.errors import CommandRefused
from shared.event_store.port import StoreUnavailable


class Forbidden(CommandRefused):
    code = "forbidden"


class ParentNotFound(CommandRefused):
    """The caller may not act for this parent: never said whether there is one."""

    code = "parent-not-found"
    message = "this parent does not exist or is not accessible to the caller"


class ConcurrentUpdate(CommandRefused):
    """Others changed the same child each time the command was decided."""

    code = "concurrent-update"
    message = "concurrent commands changed this child; retry the request"


class ChildBusy(CommandRefused):
    """Too many commands of the child wait in this process, or this one waited too long."""

    code = "child-busy"
    message = "too many commands for this child are waiting; retry the request"


class ChildLoading(CommandRefused):
    """The child's stream is so long that it is still being read; that goes on."""

    code = "child-loading"
    message = "this child's history is still being loaded; retry the request"


class IdempotencyKeyReused(CommandRefused):
    code = "idempotency-key-reused"
    message = "this idempotency key was used for a different request; use a new one"


class OperationRunning(CommandRefused):
    """One of the same kind was asked for and has not ended."""

    code = "operation-running"

    def __init__(self, operation_id: str = "") -> None:
        super().__init__(f"an operation of this kind has not ended: {operation_id}")
        self.operation_id = operation_id


class KeyUnavailable(CommandRefused):
    """A child that is not erased has no data key, or one that does not open: whatever has to be
    sealed waits for the operator. An erasure does not."""

    code = "key-unavailable"
    message = "this child's data key cannot be used at the moment"


class AppendUnconfirmed(StoreUnavailable):
    """The same offer was made again and again, and never answered: it may have landed or not."""
