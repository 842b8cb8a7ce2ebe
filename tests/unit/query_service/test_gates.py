import asyncio
import time

import pytest

from query_service.cache.gates import Gates, ReadModelLate
from shared.signing import ConsistencyToken
from tests.support.waiting import SOON


class StoredGates:
    """The versions in the store, and how often they were looked at."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.looks = 0
        self.looked = asyncio.Event()

    async def __call__(self, child_id: str) -> int:
        self.looks += 1
        self.looked.set()
        return self.versions.get(child_id, 0)


@pytest.fixture
def stored() -> StoredGates:
    return StoredGates()


@pytest.fixture
def gates(stored: StoredGates) -> Gates:
    return Gates(stored, time.monotonic)


async def test_a_version_that_the_store_has_is_not_waited_for(
    gates: Gates, stored: StoredGates
) -> None:
    # given
    stored.versions["lena"] = 3
    before = time.monotonic()
    # when
    moment = await gates.wait(ConsistencyToken("lena", 3), seconds=0)
    # then
    assert before <= moment <= time.monotonic()


async def test_what_is_known_is_not_asked_again(gates: Gates, stored: StoredGates) -> None:
    # given
    gates.reached("lena", 3)
    # when
    moment = await gates.wait(ConsistencyToken("lena", 2), seconds=0)
    # then
    assert moment == await gates.wait(ConsistencyToken("lena", 3), seconds=0)
    assert stored.looks == 0


async def test_a_notice_wakes_who_waits(gates: Gates, stored: StoredGates) -> None:
    # given
    waiting = asyncio.create_task(gates.wait(ConsistencyToken("lena", 3), seconds=SOON))
    await stored.looked.wait()
    # when an older version arrives and then the right one
    gates.reached("lena", 2)
    gates.reached("lena", 3)
    # then
    assert await asyncio.wait_for(waiting, SOON) <= time.monotonic()


async def test_without_notices_the_store_is_looked_at_again(
    gates: Gates, stored: StoredGates
) -> None:
    # given
    waiting = asyncio.create_task(gates.wait(ConsistencyToken("lena", 3), seconds=SOON))
    await stored.looked.wait()
    # when
    stored.versions["lena"] = 4
    # then
    await asyncio.wait_for(waiting, SOON)
    assert stored.looks >= 2


async def test_who_waits_in_vain_is_told_so(gates: Gates, stored: StoredGates) -> None:
    # given
    stored.versions["lena"] = 2
    # when
    with pytest.raises(ReadModelLate):
        await gates.wait(ConsistencyToken("lena", 3), seconds=0.02)
    # then nobody is left waiting
    assert not gates._waiting


async def test_who_waits_looks_at_the_store_ten_times_a_second_and_lets_others_run(
    gates: Gates, stored: StoredGates
) -> None:
    # given two who wait for the same child
    waiting = [gates.wait(ConsistencyToken("lena", 3), seconds=0.3) for _ in range(2)]
    # when
    told = await asyncio.gather(*waiting, return_exceptions=True)
    # then
    assert [type(each) for each in told] == [ReadModelLate, ReadModelLate]
    assert stored.looks <= 2 * 5


async def test_only_so_many_gates_are_remembered(
    stored: StoredGates, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given room for two
    monkeypatch.setattr("query_service.cache.gates.REMEMBERED_GATES", 2)
    gates = Gates(stored, time.monotonic)
    # when
    for child_id in ("a", "b", "c"):
        gates.reached(child_id, 1)
    # then the first was forgotten and is looked up again
    stored.versions["a"] = 1
    await gates.wait(ConsistencyToken("a", 1), seconds=0)
    await gates.wait(ConsistencyToken("c", 1), seconds=0)
    assert stored.looks == 1
