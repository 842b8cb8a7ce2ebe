"""Why a command is refused. Codes are stable; messages never carry a value, it may be a child's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from shared.events.child import ConsentPurpose


class CommandRefused(Exception):
    """A command that was understood and will not be done. `code` names the reason for programs,
    `message` for people where it is always the same."""

    code: ClassVar[str]
    message: ClassVar[str] = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.message)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field, and its limit, e.g. `3..12`."""

    field: str
    message: str
    limit: str


class InvalidCommand(CommandRefused):
    """Fields break their limits: all of them are named at once."""

    code = "invalid-request"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field} {error.message}" for error in errors))
        self.errors = tuple(errors)


class NoChangeGiven(CommandRefused):
    code = "no-change-given"
    message = "an update must contain at least one field to change"


class ChildNotFound(CommandRefused):
    """There is no such child, or it is not the caller's: never said which."""

    code = "child-not-found"
    message = "this child does not exist or is not accessible to the caller"


class AlreadyRegistered(CommandRefused):
    code = "already-registered"
    message = "this child is already registered"


class ChildDeactivatedError(CommandRefused):
    code = "child-deactivated"
    message = "the child is deactivated; reactivate it first"


class ChildErasedError(CommandRefused):
    code = "child-erased"
    message = "the child's personal data was erased; no further command is possible"


class ConsentRequired(CommandRefused):
    """The parent has not consented to what the command is for, or no longer does. `registering`:
    there is no child yet to which the consent could be given."""

    code = "consent-required"

    def __init__(self, purpose: ConsentPurpose, *, registering: bool = False) -> None:
        super().__init__(f"this needs the parent's consent to the purpose {purpose.value}")
        self.purpose = purpose
        self.registering = registering


class AlreadyDeactivated(CommandRefused):
    code = "already-deactivated"
    message = "the child is already deactivated"


class NotDeactivated(CommandRefused):
    code = "not-deactivated"
    message = "only a deactivated child can be reactivated"


class UdidTaken(CommandRefused):
    """A bear belongs to one active child."""

    code = "udid-taken"
    message = "the bear with this udid belongs to another active child"


class DeviceIdTaken(CommandRefused):
    """One token speaks for the bear of one active child."""

    code = "device-id-taken"
    message = "the bear with this device id belongs to another active child"


class ViolationNotFound(CommandRefused):
    code = "violation-not-found"
    message = "the child has no such safety violation"


class ViolationAlreadyResolved(CommandRefused):
    code = "violation-already-resolved"
    message = "the safety violation is already resolved"


class ViolationAlreadyAssigned(CommandRefused):
    code = "violation-already-assigned"
    message = "somebody else looks into the safety violation"


class ViolationNotResolved(CommandRefused):
    code = "violation-not-resolved"
    message = "only a resolved safety violation can be reopened"


class ConversationNotFound(CommandRefused):
    code = "conversation-not-found"
    message = "the child has no such conversation"


class ConversationNotOpen(CommandRefused):
    code = "conversation-not-open"
    message = "the conversation has ended"


class ConversationIdUsed(CommandRefused):
    code = "conversation-id-used"
    message = "a conversation of the child already has this id; choose another"
