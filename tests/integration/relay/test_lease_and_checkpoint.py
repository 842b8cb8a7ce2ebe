import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from command_service.relay.progress import Checkpoint, Checkpoints
from shared.lease import Lease, LeaseLost
from shared.mongo import Database, Mongo
from tests.support.waiting import SOON, until


@pytest_asyncio.fixture
async def database(mongo_url: str, fresh_database: str) -> AsyncIterator[Database]:
    mongo = Mongo(mongo_url)
    yield mongo.database(fresh_database)
    await mongo.close()


def _a_lease(database: Database, holder: str, seconds: float = 30.0) -> Lease:
    return Lease(database, "relay", holder, seconds)


async def _acquired(lease: Lease) -> None:
    async with asyncio.timeout(SOON):
        while True:
            if await lease.acquire():
                return
            await asyncio.sleep(0.01)


async def test_of_ten_relays_one_gets_the_lease(database: Database) -> None:
    # given
    leases = [_a_lease(database, f"relay-{number}") for number in range(10)]
    # when
    acquired = await asyncio.gather(*(lease.acquire() for lease in leases))
    # then
    assert acquired.count(True) == 1
    assert sum(lease.remaining_seconds > 0 for lease in leases) == 1


async def test_a_released_lease_is_free_at_once_with_a_higher_fencing_number(
    database: Database,
) -> None:
    # given
    first, second = _a_lease(database, "relay-1"), _a_lease(database, "relay-2")
    assert await first.acquire()
    assert not await second.acquire()
    # when
    await first.release()
    # then
    assert await second.acquire()
    assert second.fencing == first.fencing + 1
    assert first.remaining_seconds == 0


async def test_a_lease_that_ran_out_is_lost_to_the_next(database: Database) -> None:
    # given
    paused, next_leader = _a_lease(database, "relay-1", 0.05), _a_lease(database, "relay-2")
    assert await paused.acquire()
    await _acquired(next_leader)
    # when / then
    with pytest.raises(LeaseLost):
        await paused.renew_if_due()
    assert next_leader.remaining_seconds > 0


async def test_a_late_release_does_not_take_the_lease_from_its_holder(database: Database) -> None:
    # given
    paused, holder = _a_lease(database, "relay-1", 0.05), _a_lease(database, "relay-2")
    assert await paused.acquire()
    await _acquired(holder)
    # when
    await paused.release()
    # then
    assert not await _a_lease(database, "relay-3").acquire()


async def test_renewal_keeps_others_out(database: Database) -> None:
    # given a lease of which more than a third has passed
    holder, other = _a_lease(database, "relay-1", 0.3), _a_lease(database, "relay-2")
    assert await holder.acquire()
    await until(lambda: holder.remaining_seconds < 0.15)
    # when
    await holder.renew_if_due()
    # then
    assert holder.remaining_seconds > 0.2
    assert not await other.acquire()


async def test_a_leader_that_wakes_up_late_cannot_move_the_checkpoint(database: Database) -> None:
    # given
    checkpoints = Checkpoints(database)
    await checkpoints.take(1)
    await checkpoints.take(2)
    reached = Checkpoint({"_data": "82"}, {0: 7, 3: 2}, commits=5, events=9)
    await checkpoints.save(2, reached)
    # when
    with pytest.raises(LeaseLost):
        await checkpoints.save(1, Checkpoint())
    with pytest.raises(LeaseLost):
        await checkpoints.take(1)
    # then
    assert await checkpoints.read() == reached == await checkpoints.take(2)


async def test_before_the_first_save_there_is_no_token(database: Database) -> None:
    # given
    checkpoints = Checkpoints(database)
    # when / then
    assert await checkpoints.read() == Checkpoint() == await checkpoints.take(1)
