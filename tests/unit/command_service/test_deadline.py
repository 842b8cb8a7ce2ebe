"""A command as a whole ends in time."""

import asyncio

import pytest

from command_service.application import Tuning
from command_service.bus.command_bus import CommandContext, CommandResult
from command_service.bus.resilience import deadline
from shared.auth.principal import Principal, Role
from shared.envelope import Commit, NewCommit
from shared.event_store.memory import MemoryEventStore
from shared.event_store.port import StoreUnavailable
from tests.support.child_facts import ADA, REGISTER
from tests.support.command_side import PATIENT, CommandSide, Database
from tests.support.consents import REGISTRATION
from tests.support.waiting import until

CONTEXT = CommandContext(Principal("admin-1", Role.ADMIN), "correlation-1", "command-1")


class HungEventStore(MemoryEventStore):
    """What is appended lands, but nobody hears of it while `hung`."""

    hung = True

    async def append(self, commit: NewCommit) -> Commit:
        stored = await super().append(commit)
        await until(lambda: not self.hung)
        return stored


async def test_a_command_that_waits_too_long_is_told_that_the_store_is_away():
    async def waits() -> CommandResult:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")

    with pytest.raises(StoreUnavailable, match=r"within 0\.01 s"):
        async with deadline(0.01):
            await waits()


async def test_a_command_in_time_has_its_result():
    async def answers() -> CommandResult:
        return CommandResult(ADA, 1, ())

    async with deadline(0.01):
        assert await answers() == CommandResult(ADA, 1, ())


async def test_a_repeated_request_finds_what_landed_after_the_deadline():
    # given
    store = HungEventStore()
    database = Database(events=store)
    side = CommandSide(database, tuning=Tuning(timeout_seconds=1.0))
    with pytest.raises(StoreUnavailable):
        await side.do(REGISTER, key="register-ada-1")
    # when
    store.hung = False
    patient = CommandSide(database, tuning=PATIENT)
    again = await patient.do(REGISTER, key="register-ada-1")
    # then
    assert again.replayed
    assert await side.stored_events() == [*REGISTRATION]
