"""Erasure: the fact first, then all that could still be read, also of a child of many years."""

import asyncio
from dataclasses import replace

import pytest

from command_service.application import Tuning
from command_service.bus.command_bus import Command
from command_service.bus.errors import ChildLoading
from command_service.child.errors import ChildErasedError, ChildNotFound
from shared.clock import new_id
from shared.event_store.envelope import Commit, verify_chain
from shared.event_store.port import OlderContent, StoreUnavailable
from shared.keyring.erased_list import ErasureStep
from tests.fakes.event_store import MemoryEventStore
from tests.support.child_facts import (
    ADA,
    DEACTIVATE,
    ERASE,
    REACTIVATE,
    REGISTER,
    REPORT,
    START,
    update,
)
from tests.support.command_side import MOTHER, PATIENT, STRANGER, CommandSide, Database
from tests.support.consents import BORN, REGISTRATION
from tests.support.flaky_stores import FlakyKeyStore
from tests.support.waiting import eventually
from tests.unit.command_service.erasure.test_erasure_sweep import Topic, sweep_of


async def test_key_and_snapshot_are_gone_and_the_history_still_verifies():
    # given
    side = await CommandSide(tuning=Tuning(snapshot_every=1)).given(
        REGISTER, START, REPORT, update(age=8)
    )
    # when
    result = await side.do(ERASE, MOTHER)
    # then
    assert (result.version, result.events) == (BORN + 4, ("ChildErased",))
    assert await side.keyring.cipher(ADA) is None
    assert await side.database.snapshots.latest(ADA) is None
    assert verify_chain(await side.database.events.load(ADA)).version == BORN + 4


async def test_an_erased_child_still_loads_without_its_key_but_not_for_a_stranger():
    side = await CommandSide().given(REGISTER, ERASE)
    result = await CommandSide(side.database).do(ERASE, MOTHER)
    assert (result.version, result.events) == (BORN + 1, ())
    with pytest.raises(ChildNotFound):
        await side.do(ERASE, STRANGER)


async def test_a_deactivated_child_or_one_whose_key_was_lost_can_be_erased():
    side = await CommandSide().given(REGISTER, DEACTIVATE)
    assert (await side.do(ERASE)).version == BORN + 2
    database = Database()
    await CommandSide(database).do(REGISTER)
    await database.keys.destroy(ADA)
    result = await CommandSide(database).do(ERASE, MOTHER)
    assert result.events == ("ChildErased",)


async def test_the_key_outlives_nothing_but_an_absent_key_store():
    # given
    keys = FlakyKeyStore()
    side = await CommandSide(Database(keys=keys)).given(REGISTER)
    keys.failing_deletes = 99
    with pytest.raises(StoreUnavailable):
        await side.do(ERASE, key="key-1")
    # when: the caller sends the same request again
    keys.failing_deletes = 0
    result = await side.do(ERASE, key="key-1")
    # then
    assert (result.events, result.replayed) == (("ChildErased",), True)
    assert await side.keyring.cipher(ADA) is None


async def test_a_short_absence_of_the_key_store_is_made_up_for():
    keys = FlakyKeyStore()
    side = await CommandSide(Database(keys=keys)).given(REGISTER)
    keys.failing_deletes = 2
    await side.do(ERASE)
    assert await side.keyring.cipher(ADA) is None


async def test_what_was_removed_is_on_the_list():
    side = await CommandSide(tuning=Tuning(snapshot_every=1)).given(REGISTER)
    result = await side.do(ERASE, MOTHER)
    (erased,) = await side.database.erased.find([ADA])
    assert (erased.version, erased.hash, erased.by_role) == (BORN + 1, result.hash, "parent")
    removed = {step: done.removed for step, done in erased.steps.items()}
    assert removed == {ErasureStep.KEY: 1, ErasureStep.CLAIMS: 2, ErasureStep.SNAPSHOTS: 1}


@pytest.mark.parametrize(
    ("store", "call"),
    [
        ("erased", "add"),
        ("keys", "destroy"),
        ("erased", "record"),
        ("claims", "remove_of"),
        ("snapshots", "delete"),
    ],
)
async def test_a_crash_at_any_step_is_made_up_for_by_asking_again(
    store: str, call: str, monkeypatch: pytest.MonkeyPatch
):
    # given
    database = Database()
    side = await CommandSide(database, tuning=Tuning(snapshot_every=1)).given(REGISTER)
    with monkeypatch.context() as crash:

        async def dies(*_: object) -> None:
            raise ConnectionError

        crash.setattr(getattr(database, store), call, dies)
        with pytest.raises(ConnectionError):
            await side.do(ERASE, MOTHER)
    # when: another process is asked
    await CommandSide(database).do(ERASE, MOTHER)
    # then
    (erased,) = await database.erased.find([ADA])
    assert erased.missing == [ErasureStep.READ_MODELS, ErasureStep.DEAD_LETTERS]
    assert await database.keys.find([ADA]) == []
    assert await database.snapshots.latest(ADA) is None
    assert await database.claims.held_by([ADA]) == set()
    assert await side.stored_events() == [*REGISTRATION, "ChildErased"]


async def test_a_registration_repeated_after_the_erasure_makes_no_key_and_takes_no_bear():
    # given
    side = CommandSide()
    await side.do(REGISTER, key="key-1")
    await side.do(ERASE)
    # when
    with pytest.raises(ChildErasedError):
        await side.do(REGISTER, key="key-1")
    # then
    assert await side.keyring.cipher(ADA) is None
    assert await side.database.keys.find([ADA]) == []
    assert await side.database.claims.held_by([ADA]) == set()


async def test_a_process_that_still_has_the_key_in_memory_writes_nothing_more():
    # given
    database = Database()
    ours, theirs = CommandSide(database), CommandSide(database)
    await ours.do(REGISTER)
    await theirs.do(update(age=8))
    # when
    await ours.do(ERASE, MOTHER)
    # then
    with pytest.raises(ChildErasedError):
        await theirs.do(update(name="Eve"))
    assert await theirs.keyring.cipher(ADA) is None
    assert (await theirs.stored_events())[-1] == "ChildErased"


@pytest.mark.parametrize(
    ("past", "late"),
    [([], update(device_id="another-bear")), ([DEACTIVATE], REACTIVATE)],
    ids=["another device", "return"],
)
async def test_a_process_that_does_not_know_yet_reserves_nothing_for_an_erased_child(
    past: list[Command], late: Command
):
    # given
    database = Database()
    ours, theirs = CommandSide(database), CommandSide(database)
    await theirs.do(REGISTER)
    for command in past:
        await theirs.do(command)
    await ours.do(ERASE)
    # when: it takes the reservation before it finds out
    with pytest.raises(ChildErasedError):
        await theirs.do(late)
    # then
    assert await database.claims.held_by([ADA]) == set()


async def test_the_bear_of_an_erased_child_is_free():
    side = await CommandSide().given(REGISTER, ERASE)
    result = await side.do(replace(REGISTER, child_id=new_id()))
    assert result.events == REGISTRATION


class LongStreams(MemoryEventStore):
    """`only_ends`: gives one commit of a stream at a time, as if it had any number. Looks for older
    content only while `may_look` is set, and in vain while it `fails`."""

    def __init__(self) -> None:
        super().__init__()
        self.only_ends = self.fails = False
        self.may_look = asyncio.Event()
        self.may_look.set()

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        commits = await super().load(child_id, after_version, limit)
        if self.only_ends and len(commits) > 1:
            raise AssertionError("more was asked for than an end of the stream")
        return commits

    async def older_content(self, child_id: str) -> frozenset[OlderContent]:
        await self.may_look.wait()
        if self.fails:
            raise StoreUnavailable("no primary")
        return await super().older_content(child_id)


async def a_long_life() -> tuple[LongStreams, CommandSide]:
    """A child that this process has never folded."""
    store = LongStreams()
    writer = await CommandSide(Database(events=store)).given(REGISTER)
    for age in range(8, 12):
        await writer.do(update(age=age))
    store.only_ends = True
    return store, CommandSide(writer.database, tuning=PATIENT)


async def is_destroyed(side: CommandSide) -> bool:
    return ADA in await side.database.keys.destroyed([ADA])


async def is_looked_through(side: CommandSide) -> bool:
    return any(child.older is not None for child in await side.database.erased.find([ADA]))


async def test_an_erasure_reads_no_more_of_a_life_than_its_ends_also_to_refuse_a_stranger():
    _, side = await a_long_life()
    with pytest.raises(ChildNotFound):
        await side.do(ERASE, STRANGER)
    assert not await is_destroyed(side)
    result = await side.do(ERASE, MOTHER)
    assert (result.version, result.events) == (BORN + 5, ("ChildErased",))
    assert await is_destroyed(side)
    again = await CommandSide(side.database).do(ERASE, MOTHER)
    assert (again.version, again.events) == (BORN + 5, ())


async def test_after_the_erasure_the_child_is_known_as_erased():
    store, side = await a_long_life()
    await side.do(ERASE, MOTHER)
    store.only_ends = False
    with pytest.raises(ChildErasedError):
        await side.do(update(name="Eve"), MOTHER)


async def test_a_life_that_takes_long_to_look_through_loses_its_key_at_once():
    # given
    store, side = await a_long_life()
    store.may_look.clear()
    # when
    with pytest.raises(ChildLoading):
        await side.do(ERASE, MOTHER, key="key-1")
    # then
    assert await is_destroyed(side)
    assert not await is_looked_through(side)
    # when the look goes on, whoever asked
    store.may_look.set()

    async def is_done() -> bool:
        return await is_looked_through(side)

    await eventually(is_done)
    store.may_look.clear()  # whoever comes again does not wait for a second look
    result = await side.do(ERASE, MOTHER, key="key-1")
    assert (result.events, result.replayed) == (("ChildErased",), True)


async def test_what_was_not_looked_through_is_found_by_the_sweep():
    # given a look that never came to its end
    store, side = await a_long_life()
    store.fails = True
    with pytest.raises(StoreUnavailable):
        await side.do(ERASE, MOTHER)
    assert await is_destroyed(side)
    # when
    store.fails, topic = False, Topic()
    again = await sweep_of(side, topic).run(topic)
    # then
    assert again == 1
    assert await is_looked_through(side)
    assert await sweep_of(side, topic).run(topic) == 0


async def test_the_sweep_ends_a_long_life_by_its_last_commit():
    _, side = await a_long_life()
    topic = Topic({ADA: side.clock()})
    await sweep_of(side, topic).run(topic)
    last = await side.database.events.last(ADA)
    assert [event.type for event in last.events] == ["ChildErased"]
