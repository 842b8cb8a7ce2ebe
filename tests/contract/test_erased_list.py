from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.event_store.port import OlderContent
from shared.keyring.erased_list import (
    COLLECTION,
    ErasedChild,
    ErasureStep,
    MongoErasedList,
    OpenErasures,
    StepDone,
    ensure_open_erasures_index,
)
from shared.mongo import Mongo
from tests.contract.conftest import Stores

AT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)


def _erased(child_id: str) -> ErasedChild:
    return ErasedChild(child_id=child_id, at=AT, by_role="parent", version=3, hash="h3")


async def test_who_is_on_the_list_is_found(stores: Stores) -> None:
    # given
    await stores.erased.add(_erased("child-1"))
    # when
    found = await stores.erased.find(["child-1", "child-2"])
    # then
    assert found == [_erased("child-1")]
    assert found[0].missing == list(ErasureStep)


async def test_what_a_step_removed_adds_up(stores: Stores) -> None:
    # given
    await stores.erased.add(_erased("child-1"))
    # when
    await stores.erased.record("child-1", ErasureStep.KEY, StepDone(AT, 1))
    await stores.erased.record("child-1", ErasureStep.KEY, StepDone(LATER, 0))
    for at, removed in ((AT, 4), (LATER, 2)):
        await stores.erased.record("child-1", ErasureStep.READ_MODELS, StepDone(at, removed))
    # then the time is that of the last that removed something
    (found,) = await stores.erased.find(["child-1"])
    done = {ErasureStep.KEY: StepDone(AT, 1), ErasureStep.READ_MODELS: StepDone(LATER, 6)}
    assert dict(found.steps) == done
    missing = [ErasureStep.CLAIMS, ErasureStep.SNAPSHOTS, ErasureStep.DEAD_LETTERS]
    assert found.missing == missing


@pytest.mark.parametrize("removed", [True, False])
async def test_whether_something_was_there_is_a_number(stores: Stores, removed: bool) -> None:
    # given
    await stores.erased.add(_erased("child-1"))
    # when
    await stores.erased.record("child-1", ErasureStep.SNAPSHOTS, StepDone(AT, removed))
    # then
    (found,) = await stores.erased.find(["child-1"])
    assert found.steps[ErasureStep.SNAPSHOTS].removed == int(removed)


async def test_the_steps_of_who_is_put_on_the_list_again_stay(stores: Stores) -> None:
    # given
    await stores.erased.add(_erased("child-1"))
    await stores.erased.record("child-1", ErasureStep.KEY, StepDone(AT, 1))
    # when
    await stores.erased.add(replace(_erased("child-1"), version=4))
    # then
    (found,) = await stores.erased.find(["child-1"])
    assert found.version == 4
    assert dict(found.steps) == {ErasureStep.KEY: StepDone(AT, 1)}


async def test_a_step_puts_nobody_on_the_list(stores: Stores) -> None:
    await stores.erased.record("child-1", ErasureStep.KEY, StepDone(AT, 1))
    assert await stores.erased.find(["child-1"]) == []


async def test_all_come_in_order_and_in_parts(stores: Stores) -> None:
    # given
    for number in (3, 1, 2):
        await stores.erased.add(_erased(f"child-{number}"))
    # when
    first = await stores.erased.page("", 2)
    second = await stores.erased.page(first[-1].child_id, 2)
    # then
    assert [one.child_id for one in [*first, *second]] == ["child-1", "child-2", "child-3"]


async def test_who_was_erased_lately_is_found(stores: Stores) -> None:
    # given
    await stores.erased.add(_erased("child-1"))
    await stores.erased.add(replace(_erased("child-2"), at=LATER))
    # when / then
    assert await stores.erased.since(LATER) == ["child-2"]
    assert sorted(await stores.erased.since(AT)) == ["child-1", "child-2"]


async def test_what_is_known_of_older_content_stays_until_somebody_looked_again(
    stores: Stores,
) -> None:
    # given
    await stores.erased.add(_erased("child-1"))
    assert (await stores.erased.find(["child-1"]))[0].older is None
    # when: who erased had looked, the worker has not
    for older in (frozenset({OlderContent.PRINTS}), frozenset[OlderContent]()):
        await stores.erased.add(replace(_erased("child-1"), older=older))
        await stores.erased.add(_erased("child-1"))
        # then
        assert (await stores.erased.find(["child-1"]))[0].older == older


async def complete(erased: Any, *child_ids: str, without: ErasureStep | None = None) -> None:
    for child_id in child_ids:
        await erased.add(_erased(child_id))
        for step in ErasureStep:
            if step is not without:
                await erased.record(child_id, step, StepDone(AT, 0))


async def test_erasures_that_are_not_complete_are_counted_and_the_oldest_come_first(
    stores: Stores,
) -> None:
    # given one that lacks everything, and one for each step that lacks it alone
    await complete(stores.erased, "done-1", "done-2")
    await stores.erased.add(replace(_erased("new"), at=LATER + timedelta(hours=1)))
    for number, step in enumerate(ErasureStep):
        await complete(stores.erased, f"lacks-{number}", without=step)
        at = LATER - timedelta(minutes=number)
        await stores.erased.add(replace(_erased(f"lacks-{number}"), at=at))
    # when
    found = await stores.erased.open_erasures(3)
    every = await stores.erased.open_erasures(50)
    # then
    assert (found.erased, found.open) == (every.erased, every.open) == (8, 6)
    assert [one.child_id for one in found.oldest] == ["lacks-4", "lacks-3", "lacks-2"]
    assert [one.missing for one in found.oldest] == [[step] for step in list(ErasureStep)[:1:-1]]
    assert every.oldest[-1].child_id == "new"


async def test_without_erasures_none_is_open(stores: Stores) -> None:
    assert await stores.erased.open_erasures(50) == OpenErasures(0, 0, [])


async def test_those_that_are_complete_are_not_read_to_find_the_others(
    mongo_url: str, fresh_database: str
) -> None:
    # given
    mongo = Mongo(mongo_url, "pymongo")
    database = mongo.database(fresh_database)
    await ensure_open_erasures_index(database)
    done = {step.value: {"at": AT, "removed": 1} for step in ErasureStep}
    await database[COLLECTION].insert_many(
        [
            {"_id": f"c-{number}", "at": AT, "by_role": "admin", "version": 2, "hash": "h"}
            | {"steps": done}
            for number in range(1_000)
        ]
    )
    erased = MongoErasedList(database)
    for number in range(4):
        await erased.add(_erased(f"open-{number}"))
    await database.command({"profile": 2})
    # when
    found = await erased.open_erasures(2)
    # then
    await database.command({"profile": 0})
    profiled = {"ns": f"{fresh_database}.{COLLECTION}"}
    read = [one async for one in database["system.profile"].find(profiled)]
    await mongo.close()
    assert (found.erased, found.open, len(found.oldest)) == (1_004, 4, 2)
    assert len(read) == 3
    assert max(one.get("docsExamined", 0) for one in read) < 50
