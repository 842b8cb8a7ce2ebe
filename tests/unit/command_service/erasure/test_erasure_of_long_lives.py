"""A child of many years is erased as any other: by the ends of its stream, and in steps."""

import asyncio

import pytest

from command_service.bus.errors import ChildLoading
from command_service.child.errors import ChildErasedError, ChildNotFound
from shared.event_store.envelope import Commit
from shared.event_store.port import OlderContent, StoreUnavailable
from tests.fakes.event_store import MemoryEventStore
from tests.support.child_facts import ADA, ERASE, REGISTER, update
from tests.support.command_side import MOTHER, PATIENT, STRANGER, CommandSide, Database
from tests.support.consents import BORN
from tests.support.waiting import eventually
from tests.unit.command_service.erasure.test_erasure_sweep import Topic, sweep_of


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
    writer = CommandSide(Database(events=store))
    await writer.do(REGISTER)
    for age in range(8, 12):
        await writer.do(update(age=age))
    store.only_ends = True
    return store, CommandSide(writer.database, tuning=PATIENT)


async def is_destroyed(side: CommandSide) -> bool:
    return ADA in await side.database.keys.destroyed([ADA])


async def is_looked_through(side: CommandSide) -> bool:
    return any(child.older is not None for child in await side.database.erased.find([ADA]))


async def test_an_erasure_reads_no_more_of_a_life_than_its_ends():
    _, side = await a_long_life()
    result = await side.do(ERASE, MOTHER)
    assert (result.version, result.events) == (BORN + 5, ("ChildErased",))
    assert await is_destroyed(side)
    again = await CommandSide(side.database).do(ERASE, MOTHER)
    assert (again.version, again.events) == (BORN + 5, ())


async def test_by_the_ends_a_stranger_is_a_stranger():
    _, side = await a_long_life()
    with pytest.raises(ChildNotFound):
        await side.do(ERASE, STRANGER)
    assert not await is_destroyed(side)


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
