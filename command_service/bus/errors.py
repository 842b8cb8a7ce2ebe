"""Refusals that come from who asks and from how commands meet, not from the domain."""

from command_service.child.errors import CommandRefused
from shared.event_store.port import StoreUnavailable


class Forbidden(CommandRefused):
    code = "forbidden"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class ParentNotFound(CommandRefused):
    """The caller may not act for this parent: never said whether there is one."""

    code = "parent-not-found"

    def __init__(self) -> None:
        super().__init__("there is no such parent for this caller")


class ConcurrentUpdate(CommandRefused):
    """Others changed the same child each time the command was decided."""

    code = "concurrent-update"

    def __init__(self) -> None:
        super().__init__("others are changing this child at the same moment; try again")


class ChildBusy(CommandRefused):
    """Too many commands of the child wait in this process, or this one waited too long."""

    code = "child-busy"

    def __init__(self) -> None:
        super().__init__("many commands for this child are waiting; send the request again")


class ChildLoading(CommandRefused):
    """The child's stream is so long that it is still being read; that goes on."""

    code = "child-loading"

    def __init__(self) -> None:
        super().__init__("the history of this child is still being read; send the request again")


class IdempotencyKeyReused(CommandRefused):
    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("this idempotency key was used for another request; use a new one")


class KeyUnavailable(CommandRefused):
    """A child that is not erased has no data key, or one that does not open: whatever has to be
    sealed waits for the operator. An erasure does not."""

    code = "key-unavailable"

    def __init__(self) -> None:
        super().__init__("the key of this child's data cannot be used at the moment")


class AppendUnconfirmed(StoreUnavailable):
    """The same offer was made again and again, and never answered: it may have landed or not."""
