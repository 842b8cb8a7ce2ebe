import asyncio
from dataclasses import replace

from shared.event_store.mongo_snapshots import PARTS_AT_ONCE, MongoSnapshotStore
from shared.event_store.port import Snapshot
from tests.contract.conftest import Stores

MANY = 2 * PARTS_AT_ONCE + 1


def _a_snapshot(version: int, parts: int = 1) -> Snapshot:
    sealed = tuple(f"sealed-{version}-{number}" for number in range(parts))
    return Snapshot("child-1", version, f"hash-{version}", "child.v1", sealed)


async def _latest(stores: Stores) -> Snapshot | None:
    """With all its parts, as it was saved."""
    found = await stores.snapshots.latest("child-1")
    if found is None:
        return None
    return replace(found, parts=await stores.snapshots.parts_of(found), apart="")


async def _documents(stores: Stores) -> int | None:
    """How many MongoDB holds; None for the store in memory."""
    if not isinstance(stores.snapshots, MongoSnapshotStore):
        return None
    return await stores.snapshots._snapshots.count_documents({})


async def _remove_the_head(stores: Stores) -> None:
    """As a process leaves it that is killed before the snapshot names its parts."""
    assert isinstance(stores.snapshots, MongoSnapshotStore)
    await stores.snapshots._snapshots.delete_one({"_id": "child-1"})


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
    await asyncio.gather(
        *(
            stores.snapshots.save(_a_snapshot(version, parts=1 + version % 3))
            for version in range(1, 31)
        )
    )
    # then
    assert await _latest(stores) == _a_snapshot(30)
    assert await _documents(stores) in (1, None)


async def test_a_snapshot_is_whole_in_however_many_parts(stores: Stores) -> None:
    for parts in range(1, MANY + 1):
        await stores.snapshots.save(_a_snapshot(parts, parts))
        assert await _latest(stores) == _a_snapshot(parts, parts)
        assert await _documents(stores) in (1 if parts == 1 else 1 + parts, None)


async def test_the_parts_of_a_snapshot_do_not_come_with_it(stores: Stores) -> None:
    # given
    await stores.snapshots.save(_a_snapshot(200, MANY))
    # when
    found = await stores.snapshots.latest("child-1")
    # then
    assert found is not None
    assert (found.version, found.parts, bool(found.apart)) == (200, (), True)


async def test_nothing_stays_of_a_larger_snapshot_than_the_next(stores: Stores) -> None:
    # given
    await stores.snapshots.save(_a_snapshot(200, MANY))
    # when
    await stores.snapshots.save(_a_snapshot(400))
    # then
    assert await _latest(stores) == _a_snapshot(400)
    assert await _documents(stores) in (1, None)


async def test_one_that_is_not_newer_leaves_nothing(stores: Stores) -> None:
    # given
    await stores.snapshots.save(_a_snapshot(400, 3))
    before = await _documents(stores)
    # when
    for version in (200, 400):
        await stores.snapshots.save(_a_snapshot(version, MANY))
    # then
    assert await _latest(stores) == _a_snapshot(400, 3)
    assert await _documents(stores) == before


async def test_of_one_that_was_replaced_meanwhile_there_are_no_parts(stores: Stores) -> None:
    # given
    await stores.snapshots.save(_a_snapshot(200, 3))
    found = await stores.snapshots.latest("child-1")
    assert found is not None
    # when
    await stores.snapshots.save(_a_snapshot(400, 3))
    # then
    assert await stores.snapshots.parts_of(found) == ()


async def test_whoever_is_killed_before_the_snapshot_names_its_parts_leaves_the_one_of_before(
    stores: Stores,
) -> None:
    if not isinstance(stores.snapshots, MongoSnapshotStore):
        await stores.snapshots.save(_a_snapshot(200))
        assert await _latest(stores) == _a_snapshot(200)
        return  # in memory there is no half of it
    # given parts of a newer one
    await stores.snapshots.save(_a_snapshot(400, MANY))
    await _remove_the_head(stores)
    await stores.snapshots.save(_a_snapshot(200))
    assert await _latest(stores) == _a_snapshot(200)
    # when
    await stores.snapshots.save(_a_snapshot(600, 2))
    # then
    assert await _latest(stores) == _a_snapshot(600, 2)
    assert await _documents(stores) == 3


async def test_parts_that_no_snapshot_names_are_found_and_deleted_with_the_child_s(
    stores: Stores,
) -> None:
    # given
    await stores.snapshots.save(_a_snapshot(200, 3))
    await stores.snapshots.save(replace(_a_snapshot(200), child_id="child-11"))
    if isinstance(stores.snapshots, MongoSnapshotStore):
        await _remove_the_head(stores)
    both = ["child-1", "child-11"]
    assert await stores.snapshots.kept_of([*both, "child-2"]) == set(both)
    # when
    removed = await stores.snapshots.delete("child-1")
    # then
    assert removed
    assert await stores.snapshots.kept_of(both) == {"child-11"}


async def test_whoever_looks_for_what_is_kept_does_not_read_all_snapshots(stores: Stores) -> None:
    # given
    await stores.snapshots.save(_a_snapshot(200, 3))
    assert await stores.snapshots.kept_of(["child-1", "child-2"]) == {"child-1"}
    if not isinstance(stores.snapshots, MongoSnapshotStore):
        return
    # when
    wanted = {"$or": [{"_id": {"$in": ["child-2"]}}, {"child_id": {"$in": ["child-2"]}}]}
    plan = await stores.snapshots._snapshots.find(wanted).explain()
    # then
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])


async def test_a_deleted_snapshot_is_gone(stores: Stores) -> None:
    # given
    await stores.snapshots.save(_a_snapshot(200))
    # when
    removed = [await stores.snapshots.delete("child-1") for _ in range(2)]
    # then
    assert removed == [True, False]
    assert await stores.snapshots.latest("child-1") is None
