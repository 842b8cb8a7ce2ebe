"""One word for how a command ended, the same in logs, metrics and the audit trail."""

from command_service.command_bus import CommandResult
from command_service.domain.child.errors import CommandRefused
from shared.event_store.port import StoreUnavailable


def outcome_of(result: CommandResult) -> str:
    """`accepted`, `unchanged` or `replayed`."""
    if result.replayed:
        return "replayed"
    return "accepted" if result.events else "unchanged"


def outcome_of_error(error: BaseException) -> str:
    """The code of a refusal, `store-unavailable`, or `failed`."""
    if isinstance(error, CommandRefused):
        return error.code
    return "store-unavailable" if isinstance(error, StoreUnavailable) else "failed"
