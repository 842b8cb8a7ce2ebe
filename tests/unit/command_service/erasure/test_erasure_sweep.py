"""Databases restored from an older copy: whoever was erased since is erased again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from command_service.application import Tuning
from command_service.erasure import ErasureCompletion, ErasureSweep
from shared.clock import new_id
from shared.erasures import ErasureNotice
from shared.event_store.envelope import verify_chain
from shared.keyring.erased_list import ErasureStep
from tests.fakes.event_store import MemoryClaimStore, MemoryEventStore, MemorySnapshotStore
from tests.fakes.keys import MemoryErasedList, MemoryKeyStore
from tests.support.child_facts import ADA, ERASE, REGISTER, update
from tests.support.command_side import CommandSide, Database
from tests.support.consents import BORN, REGISTRATION

ERASED_AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
WRITE_SIDE = {ErasureStep.KEY, ErasureStep.CLAIMS, ErasureStep.SNAPSHOTS}


@dataclass
class Topic:
    """The topic of erasures, which no restore touches."""

    reported: dict[str, datetime] = field(default_factory=dict)

    async def read(self) -> Mapping[str, datetime]:
        return dict(self.reported)

    async def announce(self, erasures: Sequence[ErasureNotice]) -> None:
        self.reported.update({one.child_id: one.at for one in erasures})


def sweep_of(side: CommandSide, topic: Topic) -> ErasureSweep:
    known = side.database
    completion = ErasureCompletion(
        known.erased, known.keys, known.claims, known.snapshots, known.events, side.clock
    )
    return ErasureSweep(known.events, completion, topic.read, side.clock, new_id)


async def nothing_is_left_of_ada(database: Database) -> bool:
    (last,) = (await database.events.load(ADA))[-1:]
    (listed,) = await database.erased.find([ADA])
    return (
        last.events[-1].type == "ChildErased"
        and listed.steps.keys() >= WRITE_SIDE
        and await database.keys.find([ADA]) == []
        and await database.keys.destroyed([ADA]) == {ADA}
        and await database.snapshots.latest(ADA) is None
        and await database.claims.held_by([ADA]) == set()
    )


async def test_after_a_restore_of_everything_the_topic_still_knows():
    # given databases from before the erasure, with a key, a snapshot and a bear
    side, topic = CommandSide(tuning=Tuning(snapshot_every=1)), Topic({ADA: ERASED_AT})
    await side.do(REGISTER)
    await side.do(update(age=8))
    # when
    again = await sweep_of(side, topic).run(topic)
    # then
    assert again == 1
    assert await nothing_is_left_of_ada(side.database)
    commits = await side.database.events.load(ADA)
    assert (commits[-1].actor.role, commits[-1].events[0].occurred_at) == ("system", ERASED_AT)
    assert verify_chain(commits).version == BORN + 2


@pytest.mark.parametrize("restored", ["events", "keys", "erased", "claims", "snapshots"])
async def test_after_a_restore_of_one_store_the_others_know(restored: str):
    # given
    database, topic = Database(), Topic()
    side = await CommandSide(database, tuning=Tuning(snapshot_every=1)).given(REGISTER, ERASE)
    older = await CommandSide(tuning=Tuning(snapshot_every=1)).given(REGISTER)
    setattr(database, restored, getattr(older.database, restored))
    # when
    again = await sweep_of(side, topic).run(topic)
    # then
    assert again == 1
    assert await nothing_is_left_of_ada(database)
    assert list(topic.reported) == [ADA]
    assert await sweep_of(side, topic).run(topic) == 0


async def test_a_child_that_is_wholly_erased_is_left_alone():
    side, topic = CommandSide(), Topic()
    await side.do(REGISTER)
    await side.do(ERASE)
    again = await sweep_of(side, topic).run(topic)
    assert (again, list(topic.reported)) == (0, [ADA])
    assert await side.stored_events() == [*REGISTRATION, "ChildErased"]


async def test_a_child_from_after_the_copy_gets_no_key_any_more():
    # given stores that never heard of the child
    database = Database(
        MemoryEventStore(), MemoryClaimStore(), MemorySnapshotStore(), MemoryKeyStore()
    )
    side, topic = CommandSide(database), Topic({ADA: ERASED_AT})
    # when
    await sweep_of(side, topic).run(topic)
    # then
    assert await database.keys.destroyed([ADA]) == {ADA}
    assert await side.stored_events() == []


async def test_what_a_crash_left_of_an_erasure_is_completed(monkeypatch: pytest.MonkeyPatch):
    # given a process that died before it came to the list
    side, topic = CommandSide(), Topic()
    await side.do(REGISTER)
    with monkeypatch.context() as crash:

        async def dies(*_: object) -> None:
            raise ConnectionError

        crash.setattr(MemoryErasedList, "add", dies)
        with pytest.raises(ConnectionError):
            await side.do(ERASE)
    # when
    await sweep_of(side, topic).run(topic)
    # then
    assert await nothing_is_left_of_ada(side.database)
