"""Commands find their handler, through the middleware."""

from typing import Any

import pytest

from command_service.bus.command_bus import (
    Command,
    CommandBus,
    CommandContext,
    CommandResult,
    Middleware,
    Next,
    UnknownCommand,
)
from command_service.child.commands import EraseChild, ReactivateChild
from shared.auth.access import Principal, Role
from tests.support.child_facts import ADA, ERASE, REACTIVATE

CONTEXT = CommandContext(Principal("admin-1", Role.ADMIN), "correlation-1", "command-1")


class Remembering:
    def __init__(self) -> None:
        self.handled: list[Command] = []

    async def handle(self, command: Command, context: CommandContext) -> CommandResult:
        self.handled.append(command)
        return CommandResult(command.child_id, 1, ("ChildErased",))


async def test_a_command_reaches_its_handler():
    # given
    bus, handler, other = CommandBus(), Remembering(), Remembering()
    bus.register(EraseChild, handler)
    bus.register(ReactivateChild, other)
    # when
    result = await bus.dispatch(ERASE, CONTEXT)
    # then
    assert result == CommandResult(ADA, 1, ("ChildErased",))
    assert handler.handled == [ERASE]
    assert other.handled == []


async def test_a_command_without_handler_is_named():
    with pytest.raises(UnknownCommand, match="ReactivateChild has no handler"):
        await CommandBus().dispatch(REACTIVATE, CONTEXT)


def test_a_command_has_one_handler():
    bus = CommandBus()
    bus.register(EraseChild, Remembering())
    with pytest.raises(ValueError, match="EraseChild already has a handler"):
        bus.register(EraseChild, Remembering())


async def test_middleware_runs_in_the_order_of_its_use():
    # given
    seen: list[str] = []

    def noting(name: str) -> Middleware:
        async def middleware(command: Any, context: CommandContext, call: Next) -> CommandResult:
            seen.append(f"{name} in")
            result = await call(command, context)
            seen.append(f"{name} out")
            return result

        return middleware

    bus = CommandBus()
    bus.register(EraseChild, Remembering())
    bus.use(noting("outer"))
    bus.use(noting("inner"))
    # when
    await bus.dispatch(ERASE, CONTEXT)
    # then
    assert seen == ["outer in", "inner in", "inner out", "outer out"]


async def test_middleware_can_end_a_command():
    # given
    async def refusing(_command: Any, _context: CommandContext, _call: Next) -> CommandResult:
        raise PermissionError

    bus, handler = CommandBus(), Remembering()
    bus.register(EraseChild, handler)
    bus.use(refusing)
    # when
    with pytest.raises(PermissionError):
        await bus.dispatch(ERASE, CONTEXT)
    # then
    assert handler.handled == []


def test_the_bus_tells_what_it_is_made_of():
    # given
    async def passing(command: Any, context: CommandContext, call: Next) -> CommandResult:
        return await call(command, context)

    bus = CommandBus()
    assert bus.health() == {"status": "down", "handlers": 0}
    # when
    bus.register(EraseChild, Remembering())
    bus.use(passing)
    # then
    assert [(each.command, each.handler) for each in bus.handlers] == [
        ("EraseChild", "Remembering")
    ]
    assert bus.middleware == ["passing"]
    assert bus.health() == {"status": "up", "handlers": 1}
