"""Commands to their handlers, through the middleware."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from command_service.child.commands import ChildCommand
from shared.auth.access import Principal, rule_of

Command = ChildCommand

_DERIVED_IDS = uuid.UUID("5f0e4a1c-0d0b-5c58-9f53-2f3c3b0d9a61")


@dataclass(frozen=True, slots=True, repr=False)
class SentRequest:
    """A request that its caller may repeat, while it is under way. In memory only: of all this
    `key` is stored as it is, and of `content` a print under the child's own data key.

    `content`: method, path and body, in one form. `as_sent`: role and subject of the caller, and
    the key that it chose.
    """

    key: str
    content: bytes
    as_sent: tuple[str, str, str]

    def derived_id(self, what: str) -> str:
        """The id of a thing that this request makes: the same again when it is repeated.

        Of the key alone, for ids are kept for ever and a request may be guessed. Another request
        under the key has the same id, meets the first one, and is refused.
        """
        return str(uuid.uuid5(_DERIVED_IDS, f"{what}\n{self.key}"))


@dataclass(frozen=True, slots=True)
class CommandContext:
    """Around a command: who asks, what it belongs to, and how a repetition is recognised:
    `request`, None for one that has no key.

    `causation_id` is the command's own id, unique: its events name it as their cause.
    """

    principal: Principal
    correlation_id: str
    causation_id: str
    traceparent: str | None = None
    request: SentRequest | None = None


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command did. `version` is the child's after it; `events` are type names, none when
    nothing had to change. `ignored`: fields of the request that were left out. `replayed`: it was
    done before, under the same idempotency key."""

    child_id: str
    version: int
    events: tuple[str, ...]
    violation_id: str | None = None
    conversation_id: str | None = None
    ignored: tuple[str, ...] = ()
    replayed: bool = False
    hash: str = ""
    """Of the commit that holds its events: chains the child's history up to `version`."""


class SentCommand(NamedTuple):
    """One of several that were sent together, in their order."""

    command: Command
    context: CommandContext


C_contra = TypeVar("C_contra", bound=Command, contravariant=True)
C = TypeVar("C", bound=Command)


class CommandHandler(Protocol[C_contra]):
    async def handle(self, command: C_contra, context: CommandContext) -> CommandResult:
        """`command` is in normal form. Raises CommandRefused, or StoreUnavailable."""


@runtime_checkable
class HandlesTogether(Protocol):
    async def handle_together(self, sent: Sequence[SentCommand]) -> list[CommandResult]:
        """The results of the first of `sent`, commands in normal form of one child, that could be
        carried out at once; maybe none. Raises StoreUnavailable."""


Next = Callable[[Any, CommandContext], Awaitable[CommandResult]]
Middleware = Callable[[Any, CommandContext, Next], Awaitable[CommandResult]]
NextTogether = Callable[[Sequence[SentCommand]], Awaitable[list[CommandResult]]]
Together = Callable[[Sequence[SentCommand], NextTogether], Awaitable[list[CommandResult]]]


class UnknownCommand(Exception):
    """No handler is registered for the command."""


@dataclass(frozen=True, slots=True)
class HandlerDescription:
    command: str
    handler: str


class CommandBus:
    """Middleware runs in the order of its `use`: the first one is outermost."""

    def __init__(self) -> None:
        self._handlers: dict[type[Any], CommandHandler[Any]] = {}
        self._middleware: list[Middleware] = []
        self._pipeline: Next = self._handle
        self._together: Together | None = None

    def register(self, command_type: type[C], handler: CommandHandler[C]) -> None:
        """Raises ValueError when the command has a handler already, UnlistedOperation when nobody
        said who may send it."""
        rule_of(command_type.__name__)
        if command_type in self._handlers:
            raise ValueError(f"{command_type.__name__} already has a handler")
        self._handlers[command_type] = handler

    def use(self, middleware: Middleware) -> None:
        self._middleware.append(middleware)
        self._pipeline = self._handle
        for outer in reversed(self._middleware):
            self._pipeline = _wrapped(outer, self._pipeline)

    async def dispatch(self, command: Command, context: CommandContext) -> CommandResult:
        """Raises UnknownCommand, CommandRefused, or StoreUnavailable."""
        self.handler_of(command)
        return await self._pipeline(command, context)

    def use_together(self, together: Together) -> None:
        """What stands around handlers of several commands at once: the same as `use` is for one."""
        self._together = together

    async def dispatch_together(self, sent: Sequence[SentCommand]) -> list[CommandResult]:
        """The results of the first of `sent`, all of one child, that were carried out at once, in
        their order; maybe none: the next one is for `dispatch`. Raises StoreUnavailable, then the
        first few may have been carried out; and ChildBusy, then none was."""
        first = self.handler_of(sent[0].command)
        if self._together is None or not isinstance(first, HandlesTogether):
            return []
        alike = list(takewhile(lambda each: self.handler_of(each.command) is first, sent))
        return await self._together(alike, first.handle_together)

    def handler_of(self, command: Command) -> CommandHandler[Any]:
        handler = self._handlers.get(type(command))
        if handler is None:
            name = type(command).__name__
            raise UnknownCommand(f"{name} has no handler; register one on the bus")
        return handler

    @property
    def handlers(self) -> list[HandlerDescription]:
        return [
            HandlerDescription(command.__name__, type(handler).__name__)
            for command, handler in self._handlers.items()
        ]

    @property
    def middleware(self) -> list[str]:
        """Outermost first. What does several things in their order names each, as its `steps`."""
        return [name for each in self._middleware for name in _steps(each)]

    def health(self) -> dict[str, Any]:
        return {"status": "up" if self._handlers else "down", "handlers": len(self._handlers)}

    async def _handle(self, command: Command, context: CommandContext) -> CommandResult:
        return await self.handler_of(command).handle(command, context)


def _steps(middleware: Middleware) -> Sequence[str]:
    name = getattr(middleware, "__name__", type(middleware).__name__)
    steps: Sequence[str] = getattr(middleware, "steps", (name,))
    return steps


def _wrapped(outer: Middleware, inner: Next) -> Next:
    async def call(command: Command, context: CommandContext) -> CommandResult:
        return await outer(command, context, inner)

    return call
