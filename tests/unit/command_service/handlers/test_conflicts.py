"""Two processes, one child: every append says the version it expects."""

import asyncio
from dataclasses import replace

import pytest

from command_service.bus.command_bus import Command
from command_service.bus.errors import ConcurrentUpdate, KeyUnavailable
from command_service.child.errors import (
    AlreadyDeactivated,
    ChildErasedError,
    ChildNotFound,
    ConversationNotFound,
)
from shared.event_store.envelope import Commit, NewCommit, verify_chain
from shared.event_store.port import StoreUnavailable, VersionConflict
from tests.fakes.event_store import MemoryEventStore
from tests.support.child_facts import (
    ADA,
    DEACTIVATE,
    END,
    ERASE,
    MESSAGE,
    REACTIVATE,
    REGISTER,
    REPORT,
    START,
    update,
)
from tests.support.command_side import CommandSide, Database
from tests.support.consents import BORN, REGISTRATION
from tests.support.flaky_stores import FlakyEventStore


class RacingEventStore(MemoryEventStore):
    """Somebody is always faster: the next `races` appends meet a conflict."""

    races = 0

    async def append(self, commit: NewCommit) -> Commit:
        if self.races > 0:
            self.races -= 1
            raise VersionConflict(commit.child_id, commit.expected.version)
        return await super().append(commit)


async def two_processes_that_know_the_child() -> tuple[CommandSide, CommandSide]:
    database = Database()
    here, there = CommandSide(database), CommandSide(database)
    await here.do(REGISTER)
    await there.do(START)
    return here, there


@pytest.mark.parametrize("command", [REPORT, MESSAGE], ids=["possible before", "made possible"])
async def test_a_stale_process_decides_again_on_what_happened(command: Command):
    # given: here the conversation is not known
    here, _ = await two_processes_that_know_the_child()
    assert (await here.do(command)).version == BORN + 2
    verify_chain(await here.database.events.load(ADA))


async def test_a_stale_process_calls_no_change_needless_and_does_not_do_what_was_done():
    # given: here the child is still seven
    here, there = await two_processes_that_know_the_child()
    await there.do(update(age=8))
    result = await here.do(update(age=7))
    assert result.events == ("ChildProfileUpdated",)
    here, there = await two_processes_that_know_the_child()
    await there.do(DEACTIVATE)
    with pytest.raises(AlreadyDeactivated):
        await here.do(DEACTIVATE)


async def test_a_process_that_missed_an_erasure_finds_out():
    here, there = await two_processes_that_know_the_child()
    await there.do(ERASE)
    here.keyring.forget(ADA)
    with pytest.raises(ChildErasedError):
        await here.do(update(age=8))


async def test_many_conflicts_are_reported_and_a_few_are_overcome():
    store = RacingEventStore()
    side = await CommandSide(Database(events=store)).given(REGISTER)
    store.races = 99
    with pytest.raises(ConcurrentUpdate):
        await side.do(update(age=8))
    assert await side.stored_events() == [*REGISTRATION]
    store.races = 3
    assert (await side.do(update(age=8))).version == BORN + 1


async def test_a_registration_that_meets_a_stream_is_a_conflict():
    # given: an id that the other process gave out at random, too
    side = await CommandSide().given(REGISTER)
    with pytest.raises(ConcurrentUpdate):
        await side.do(replace(REGISTER, udid="TEDDY-0000-0002"))


@pytest.mark.parametrize("seed", range(5))
async def test_commands_that_arrive_together_leave_one_unbroken_history(seed: int):
    # given
    database = Database().interleaved(seed)
    sides = [CommandSide(database) for _ in range(4)]
    await sides[0].do(REGISTER)
    await sides[0].do(START)
    # when
    outcomes = await asyncio.gather(
        *(side.do(MESSAGE) for side in sides for _ in range(5)), return_exceptions=True
    )
    # then
    done = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    commits = await database.events.load(ADA)
    assert len(done) >= 3
    assert verify_chain(commits).version == BORN + 1 + len(done)
    assert all(isinstance(each, ConcurrentUpdate) for each in outcomes if each not in done)


async def test_unknown_children_conversations_and_ids_that_are_none_are_not_found():
    side = CommandSide()
    with pytest.raises(ChildNotFound):
        await side.do(update(age=8))
    with pytest.raises(ChildNotFound):
        await side.do(replace(END, child_id="../../etc"))
    side = await CommandSide().given(REGISTER)
    with pytest.raises(ConversationNotFound):
        await side.do(END)


async def test_a_store_that_comes_back_is_not_noticed():
    store = FlakyEventStore()
    database = Database(events=store)
    await CommandSide(database).do(REGISTER)
    store.failing_loads, store.failing_appends = 2, 2
    result = await CommandSide(database).do(update(age=8))
    assert result.version == BORN + 1


async def test_an_append_whose_answer_was_lost_is_one_fact():
    # given: no idempotency key says that this is the same message
    store = FlakyEventStore()
    side = await CommandSide(Database(events=store)).given(REGISTER, START)
    store.offers.clear()
    # when
    store.lost_answers = 2
    result = await side.do(MESSAGE)
    # then
    assert result.version == BORN + 2
    assert await side.stored_events() == [
        *REGISTRATION, "ConversationStarted", "MessageRecorded",
    ]  # fmt: skip
    assert store.offers == [store.offers[0]] * 3


async def test_an_append_never_confirmed_is_not_decided_anew():
    # given
    store = FlakyEventStore()
    side = await CommandSide(Database(events=store)).given(REGISTER, START)
    store.offers.clear()
    # when
    store.lost_answers, store.failing_appends = 1, 99
    with pytest.raises(StoreUnavailable):
        await side.do(MESSAGE)
    # then
    assert len({offer.events[0].data for offer in store.offers}) == 1


async def test_a_lost_data_key_is_an_error_and_not_an_erasure():
    side = await CommandSide().given(REGISTER, DEACTIVATE)
    await side.database.keys.destroy(ADA)
    side.keyring.forget(ADA)
    for process in (side, CommandSide(side.database)):
        with pytest.raises(KeyUnavailable):
            await process.do(REACTIVATE)


@pytest.mark.parametrize("seed", range(5))
async def test_a_hundred_messages_of_one_child_at_once_are_all_recorded(seed: int):
    side = await CommandSide(Database().interleaved(seed)).given(REGISTER, START)
    results = await asyncio.gather(*(side.do(MESSAGE) for _ in range(100)))
    assert [each.version for each in results] == list(range(BORN + 2, BORN + 102))
    assert verify_chain(await side.database.events.load(ADA)).version == BORN + 101


async def test_an_erasure_waits_for_what_came_before_it_and_ends_what_comes_after():
    # given
    side = await CommandSide(Database().interleaved(seed=1)).given(REGISTER)
    # when
    before, erasure, after = await asyncio.gather(
        side.do(update(age=8)), side.do(ERASE), side.do(update(age=9)), return_exceptions=True
    )
    # then
    assert not isinstance(before, BaseException)
    assert not isinstance(erasure, BaseException)
    assert (before.version, erasure.version) == (BORN + 1, BORN + 2)
    assert isinstance(after, ChildErasedError)
    assert await side.database.keys.find([ADA]) == []
