"""A command that changed nothing is remembered under its key as one that did."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from command_service.bus.command_bus import Command, CommandContext, CommandResult
from command_service.bus.errors import IdempotencyKeyReused
from command_service.child.errors import ChildErasedError
from shared.clock import new_id
from shared.event_store.envelope import Commit, NewCommit
from shared.event_store.port import StoreUnavailable
from shared.events.child import ConsentPurpose
from tests.fakes.event_store import MemoryEventStore
from tests.support.child_facts import (
    ADA,
    DEACTIVATE,
    ERASE,
    REACTIVATE,
    REGISTER,
    REPORT,
    give,
    update,
    withdraw,
)
from tests.support.command_side import ADMIN, CommandSide, Database, sent
from tests.support.consents import BORN
from tests.support.flaky_stores import FlakyEventStore

ACCOUNT, TALKS = ConsentPurpose.ACCOUNT, ConsentPurpose.CONVERSATIONS

Meanwhile = Callable[[], Awaitable[object]]


class OvertakenEventStore(MemoryEventStore):
    """What `meanwhile` does comes between a decision and its append; once."""

    meanwhile: Meanwhile | None = None

    async def append(self, commit: NewCommit) -> Commit:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().append(commit)


async def send(side: CommandSide, command: Command, request: str) -> CommandResult:
    """`command` under the key that every request here uses."""
    context = CommandContext(ADMIN, "correlation-1", new_id(), request=sent("key-1", request))
    return await side.bus.dispatch(command, context)


@pytest.mark.parametrize(
    ("past", "command", "between"),
    [
        ([], update(age=7), [update(age=8)]),
        ([], update(name="Ada", interests=("space",)), [update(interests=None)]),
        ([], give(TALKS), [withdraw(TALKS)]),
        ([withdraw(TALKS)], withdraw(TALKS), [give(TALKS)]),
        ([REPORT], REPORT, []),
        ([ERASE], ERASE, []),
        ([], update(age=7), [DEACTIVATE]),
        ([], update(age=7), [update(age=8), DEACTIVATE, REACTIVATE]),
        ([], give(TALKS), [withdraw(ACCOUNT)]),
    ],
)
async def test_a_late_repetition_is_answered_as_the_first_and_changes_nothing(
    past: list[Command], command: Command, between: list[Command]
):
    # given
    side = await CommandSide().given(REGISTER, *past)
    first = await side.do(command, key="key-1")
    for later in between:
        await side.do(later)
    stored = await side.stored_events()
    # when
    again = await side.do(command, key="key-1")
    elsewhere = await CommandSide(side.database).do(command, key="key-1")
    # then
    assert (first.events, first.replayed) == ((), False)
    assert again == elsewhere == replace(first, replayed=True)
    assert await side.stored_events() == stored


async def test_a_late_repetition_about_an_erased_child_is_refused():
    # given
    side, elsewhere = CommandSide(database := Database()), CommandSide(database)
    await side.do(REGISTER)
    await side.do(update(age=7), key="key-1")
    await elsewhere.do(update(age=7), key="key-1")
    await side.do(ERASE)
    # when, then: whether the key of the child is still in memory or not
    for process in (side, elsewhere, CommandSide(database)):
        with pytest.raises(ChildErasedError):
            await process.do(update(age=7), key="key-1")


@pytest.mark.parametrize("other", [update(age=9), update(age=7, name="Ada"), DEACTIVATE, ERASE])
async def test_another_request_under_its_key_is_refused(other: Command):
    # given
    side = await CommandSide().given(REGISTER)
    await send(side, update(age=7), "seven")
    stored = await side.stored_events()
    # when, then
    for process in (side, CommandSide(side.database)):
        with pytest.raises(IdempotencyKeyReused):
            await send(process, other, "another")
    assert await side.stored_events() == stored


async def test_another_request_that_would_be_refused_anyhow_learns_of_the_key():
    side = await CommandSide().given(REGISTER, DEACTIVATE)
    await send(side, give(TALKS), "talks")
    with pytest.raises(IdempotencyKeyReused):
        await send(side, DEACTIVATE, "again")


async def test_a_registration_under_its_key_is_refused_and_leaves_the_bear_free():
    side = await CommandSide().given(REGISTER)
    await send(side, update(age=7), "seven")
    second = replace(REGISTER, child_id=new_id(), udid="TEDDY-0000-0002", device_id="b-2")
    with pytest.raises(IdempotencyKeyReused):
        await send(side, second, "second")
    assert (await side.do(replace(second, child_id=new_id()))).version == BORN


async def test_a_change_that_comes_between_decision_and_note_is_not_undone():
    # given: two processes get the same request; what others did comes between
    store = OvertakenEventStore()
    database = Database(events=store)
    here, there = CommandSide(database), CommandSide(database)
    await here.do(REGISTER)

    async def meanwhile() -> None:
        await there.do(update(age=8))

    store.meanwhile = meanwhile
    # when
    first = await here.do(update(age=7), key="key-1")
    again = await there.do(update(age=7), key="key-1")
    # then: it was decided before the change
    assert (first.version, first.events) == (BORN, ())
    assert again == replace(first, replayed=True)
    assert await database.events.load(ADA, BORN) != []


async def test_of_two_that_decide_differently_the_first_stored_answers_both():
    # given
    store = OvertakenEventStore()
    database = Database(events=store)
    here, there = CommandSide(database), CommandSide(database)
    await here.do(REGISTER)
    results: list[CommandResult] = []

    async def meanwhile() -> None:
        await there.do(update(age=8))
        results.append(await there.do(update(age=7), key="key-1"))

    store.meanwhile = meanwhile
    # when: nothing is to change here, and there is by now
    results.append(await here.do(update(age=7), key="key-1"))
    # then
    changed, late = results
    assert changed.events == ("ChildProfileUpdated",)
    assert late == replace(changed, replayed=True)


@pytest.mark.parametrize("seed", range(8))
async def test_whoever_comes_between_fifty_at_once_have_one_answer(seed: int):
    # given
    database = Database().interleaved(seed)
    sides = [CommandSide(database), CommandSide(database)]
    await sides[0].do(REGISTER)
    # when
    same = [side.do(update(age=7), key="key-1") for side in sides for _ in range(25)]
    others = [sides[age % 2].do(update(age=age)) for age in (8, 9)]
    *results, _, _ = await asyncio.gather(*same, *others)
    # then
    assert len({(each.version, each.events) for each in results}) == 1
    assert sum(not each.replayed for each in results) == 1


async def test_a_note_whose_answer_was_lost_is_no_repetition():
    store = FlakyEventStore()
    side = await CommandSide(Database(events=store)).given(REGISTER)
    store.lost_answers = 2
    first = await side.do(update(age=7), key="key-1")
    assert (first.version, first.events, first.replayed) == (BORN, (), False)
    assert (await side.do(update(age=7), key="key-1")).replayed


async def test_a_command_whose_key_could_not_be_kept_is_not_acknowledged():
    # given
    store = FlakyEventStore()
    side = await CommandSide(Database(events=store)).given(REGISTER)
    store.failing_appends = 99
    # when
    with pytest.raises(StoreUnavailable):
        await side.do(update(age=7), key="key-1")
    # then
    store.failing_appends = 0
    assert not (await side.do(update(age=7), key="key-1")).replayed


async def test_without_a_key_nothing_is_stored():
    store = FlakyEventStore()
    side = await CommandSide(Database(events=store)).given(REGISTER)
    store.offers.clear()
    result = await side.do(update(age=7))
    assert (result.version, result.events) == (BORN, ())
    assert store.offers == []
