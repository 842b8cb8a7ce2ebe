"""The snapshot that statements share: made once, made again meanwhile, and gone when it is old."""

import asyncio
from pathlib import Path

import pytest

from query_service.read_store.port import ReadStoreUnavailable
from query_service.sql.snapshots import SnapshotBeingMade, Snapshots
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


class Made:
    """Counts what is made, each with its number; while it is held, nothing gets done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.begun = 0
        self.free = asyncio.Event()
        self.free.set()
        self.away = False

    async def __call__(self, file: Path) -> str | None:
        self.begun += 1
        number = self.begun
        await self.free.wait()
        if self.away:
            raise ReadStoreUnavailable("away")
        file.write_text(str(number))
        return str(number)

    def snapshots(self, wait: float = 60.0, most_age: float = 60.0) -> Snapshots:
        return Snapshots(self, lambda: self.now, most_age, wait)


async def read(snapshots: Snapshots) -> str | None:
    async with snapshots.place() as (place, as_of):
        assert [each.name for each in place.iterdir()] == ["snapshot.duckdb"]
        assert (place / "snapshot.duckdb").read_text() == as_of
        return as_of


async def made_again(snapshots: Snapshots) -> None:
    await until(lambda: snapshots._making is None)


async def test_one_serves_all_until_half_its_age_and_the_next_is_made_meanwhile(folder: Path):
    made = Made()
    snapshots = made.snapshots()
    assert await asyncio.gather(*(read(snapshots) for _ in range(5))) == ["1"] * 5
    made.now = 29.0
    assert (await read(snapshots), made.begun) == ("1", 1)
    made.free.clear()
    made.now = 31.0
    assert await asyncio.gather(*(read(snapshots) for _ in range(2))) == ["1"] * 2
    await until(lambda: made.begun > 1)
    made.free.set()
    await made_again(snapshots)
    assert (await read(snapshots), made.begun) == ("2", 2)
    assert len(list(folder.iterdir())) == 1
    await snapshots.close()
    assert not list(folder.iterdir())


async def test_what_is_too_old_is_read_by_nobody():
    made = Made()
    snapshots = made.snapshots(wait=0.01)
    await read(snapshots)
    made.now = 61.0
    made.free.clear()
    with pytest.raises(SnapshotBeingMade):
        await read(snapshots)
    made.free.set()
    await made_again(snapshots)
    assert await read(snapshots) == "2"
    await snapshots.close()


async def test_who_leaves_takes_no_snapshot_along():
    made = Made()
    made.free.clear()
    snapshots = made.snapshots()
    asked = asyncio.create_task(read(snapshots))
    await until(lambda: made.begun > 0)
    asked.cancel()
    await asyncio.wait([asked])
    made.free.set()
    assert (await read(snapshots), made.begun) == ("1", 1)
    await snapshots.close()


async def test_an_old_one_leaves_the_disk_also_when_nobody_asks(folder: Path):
    snapshots = Made().snapshots(most_age=0.2)
    await read(snapshots)
    await until(lambda: not list(folder.iterdir()))
    await snapshots.close()


async def test_without_a_read_store_there_is_none_and_the_old_one_serves(folder: Path):
    made = Made()
    made.away = True
    snapshots = made.snapshots()
    with pytest.raises(ReadStoreUnavailable):
        await read(snapshots)
    assert not list(folder.iterdir())
    made.away = False
    assert await read(snapshots) == "2"
    made.away, made.now = True, 31.0
    assert await read(snapshots) == "2"
    await made_again(snapshots)
    assert await read(snapshots) == "2"
    await snapshots.close()


async def test_one_that_is_being_made_ends_with_the_process(folder: Path):
    made = Made()
    made.free.clear()
    snapshots = made.snapshots(wait=0.01)
    with pytest.raises(SnapshotBeingMade):
        await read(snapshots)
    await snapshots.close()
    assert not list(folder.iterdir())
