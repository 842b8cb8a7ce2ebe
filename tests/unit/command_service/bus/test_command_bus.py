"""Commands find their handler through the middleware, which tells names, never a value."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from command_service.bus.command_bus import (
    Command,
    CommandBus,
    CommandContext,
    CommandResult,
    Middleware,
    Next,
    UnknownCommand,
)
from command_service.bus.errors import Forbidden
from command_service.child.commands import EraseChild, ReactivateChild
from command_service.child.errors import AlreadyDeactivated, InvalidCommand
from shared.audit.record import AuditUnavailable
from shared.auth.access import Principal, Role
from shared.event_store.port import StoreUnavailable
from tests.support.child_facts import ADA, DEACTIVATE, ERASE, REACTIVATE, REGISTER, update
from tests.support.command_side import ADMIN, ANALYST, MOTHER, CommandSide, Database
from tests.support.flaky_stores import FlakyEventStore

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


async def test_a_command_has_exactly_one_handler():
    with pytest.raises(UnknownCommand, match="ReactivateChild has no handler"):
        await CommandBus().dispatch(REACTIVATE, CONTEXT)
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


PLAINTEXT = ("Ada", "TEDDY-0000-0001", "bear-device-1", "stories", "visual", "space", "moved on")


async def test_the_audit_trail_tells_who_did_what_and_what_became_of_it():
    # given
    side = CommandSide()
    # when
    await side.do(REGISTER, MOTHER, key="key-1")
    await side.do(REGISTER, MOTHER, key="key-1")
    await side.do(update(age=7), MOTHER)
    await side.do(DEACTIVATE, MOTHER)
    with pytest.raises(AlreadyDeactivated):
        await side.do(DEACTIVATE, ADMIN)
    with pytest.raises(Forbidden):
        await side.do(ERASE, ANALYST)
    # then
    assert [
        (each.subject, each.role, each.operation, each.outcome) for each in side.audit.entries
    ] == [
        ("parent-ada", "parent", "RegisterChild", "accepted"),
        ("parent-ada", "parent", "RegisterChild", "replayed"),
        ("parent-ada", "parent", "UpdateChildProfile", "unchanged"),
        ("parent-ada", "parent", "DeactivateChild", "accepted"),
        ("admin-1", "admin", "DeactivateChild", "already-deactivated"),
        ("analyst-1", "analyst", "EraseChild", "forbidden"),
    ]
    assert {each.children for each in side.audit.entries} == {(ADA,)}
    assert {each.correlation_id for each in side.audit.entries} == {"correlation-1"}


async def test_an_accepted_command_anchors_its_commit_in_the_trail():
    side = CommandSide()
    await side.do(REGISTER, MOTHER)
    await side.do(DEACTIVATE, MOTHER)
    commits = await side.database.events.load(ADA)
    assert [entry.anchor for entry in side.audit.entries] == [c.position for c in commits]


async def test_a_command_is_refused_while_the_trail_takes_no_record():
    side = CommandSide()
    side.audit.away = True
    with pytest.raises(AuditUnavailable):
        await side.do(REGISTER, MOTHER)
    assert await side.stored_events() == []


async def test_metrics_count_by_command_and_outcome():
    # given
    side = CommandSide()
    # when
    await side.do(REGISTER)
    with pytest.raises(InvalidCommand):
        await side.do(update(age=2))
    # then
    accepted = {"command": "RegisterChild", "outcome": "accepted"}
    refused = {"command": "UpdateChildProfile", "outcome": "invalid-request"}
    assert side.registry.get_sample_value("teddy_commands_total", accepted) == 1
    assert side.registry.get_sample_value("teddy_commands_total", refused) == 1
    assert side.registry.get_sample_value("teddy_command_seconds_count", accepted) == 1


async def test_a_log_line_has_names_and_milliseconds_but_no_values(
    caplog: pytest.LogCaptureFixture,
):
    # given
    caplog.set_level(logging.DEBUG, "command_service.bus.pipeline")
    side = CommandSide()
    # when
    with capture_logs() as lines:
        await side.do(REGISTER)
        with pytest.raises(InvalidCommand):
            await side.do(replace(REGISTER, age=2))
    # then
    commands = [line for line in lines if line["event"] == "command"]
    assert [(line["command"], line["child_id"], line["outcome"]) for line in commands] == [
        ("RegisterChild", ADA, "accepted"),
        ("RegisterChild", ADA, "invalid-request"),
    ]
    assert all(line["ms"] >= 0 for line in commands)
    assert not any(value in str(lines) for value in PLAINTEXT)


async def test_a_failure_is_logged_as_an_error():
    side = CommandSide(Database(events=FlakyEventStore(failing_appends=99)))
    with capture_logs() as lines, pytest.raises(StoreUnavailable):
        await side.do(REGISTER)
    (line,) = [line for line in lines if line["event"] == "command"]
    assert (line["log_level"], line["outcome"]) == ("error", "store-unavailable")


def test_neither_commands_nor_events_print_personal_values():
    commands = (REGISTER, update(name="Ada"), DEACTIVATE)
    printed = " ".join(repr(command) for command in commands)
    assert not any(value in printed for value in PLAINTEXT)
