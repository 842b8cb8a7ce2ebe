import asyncio

from shared.event_store.port import Snapshot
from tests.contract.conftest import Stores


def _a_snapshot(version: int) -> Snapshot:
    return Snapshot("child-1", version, f"hash-{version}", "child.v1", "sealed")


async def test_a_child_without_snapshot_has_none(stores: Stores) -> None:
    assert await stores.snapshots.latest("child-1") is None


async def test_the_newest_snapshot_is_kept_in_any_order_of_saving(stores: Stores) -> None:
    # when
    for version in (200, 600, 400):
        await stores.snapshots.save(_a_snapshot(version))
    # then
    assert await stores.snapshots.latest("child-1") == _a_snapshot(600)


async def test_the_newest_of_snapshots_saved_at_once_is_kept(stores: Stores) -> None:
    # when
    await asyncio.gather(*(stores.snapshots.save(_a_snapshot(version)) for version in range(1, 31)))
    # then
    assert await stores.snapshots.latest("child-1") == _a_snapshot(30)


async def test_a_deleted_snapshot_is_gone(stores: Stores) -> None:
    # given
    await stores.snapshots.save(_a_snapshot(200))
    # when
    await stores.snapshots.delete("child-1")
    await stores.snapshots.delete("child-1")
    # then
    assert await stores.snapshots.latest("child-1") is None
