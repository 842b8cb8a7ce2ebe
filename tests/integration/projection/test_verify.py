import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.replay.histories import stream_of
from shared.clock import utc_now
from shared.event_store.envelope import Commit
from shared.events.child import Severity
from shared.read_models.documents import Model
from tests.support.projection_facts import (
    MIA,
    erased,
    message,
    registered,
    reported,
    started,
    updated,
)
from tests.support.projection_side import GENERATION, ProjectionSide


@pytest.fixture
async def projected(side: ProjectionSide) -> ProjectionSide:
    events = (registered(), started(), message(), reported(1, Severity.HIGH), updated(age=9))
    await side.project(await side.happened(*events))
    assert (await side.verify()).clean
    return side


async def test_a_changed_field_is_named_with_both_values(projected: ProjectionSide) -> None:
    children = GENERATION.collection(projected.database, Model.CHILDREN)
    await children.update_one({"_id": MIA}, {"$set": {"age": 12}})

    (difference,) = (await projected.verify()).differences

    assert (difference.model, difference.document, difference.field) == ("children", MIA, "age")
    assert (difference.expected, difference.found) == (9, 12)


async def test_a_lost_document_is_found(projected: ProjectionSide) -> None:
    await GENERATION.collection(projected.database, Model.SAFETY).delete_one({"_id": MIA})

    fields = [(d.model, d.field) for d in (await projected.verify()).differences]

    assert fields == [("safety", "(document)")]


async def test_a_document_that_no_event_explains_is_found(projected: ProjectionSide) -> None:
    stray = {"_id": "stray@2026-11-23", "child_id": "stray", "day": "2026-11-23"}
    await GENERATION.collection(projected.database, Model.ACTIVITY).insert_one(stray)

    differences = (await projected.verify()).differences

    noted = [(d.model, d.document, d.expected, d.found) for d in differences]
    assert noted == [("activity", "stray", "absent", "present")]


async def test_a_counter_that_is_off_by_one_is_found(projected: ProjectionSide) -> None:
    system = GENERATION.collection(projected.database, Model.SYSTEM)
    await system.update_one({"_id": "partition-0"}, {"$inc": {"counters.messages": 1}})

    (difference,) = (await projected.verify()).differences

    assert (difference.field, difference.expected, difference.found) == ("messages", 1, 2)


async def test_an_event_that_was_not_projected_is_found(projected: ProjectionSide) -> None:
    await projected.happened(updated(age=5))

    (difference,) = (await projected.verify()).differences

    assert (difference.field, difference.expected, difference.found) == ("version", 6, 5)


async def test_a_child_that_is_projected_a_moment_later_is_no_difference(
    projected: ProjectionSide,
) -> None:
    late = await projected.happened(updated(age=5))
    waiting = asyncio.create_task(projected.on_generation(GENERATION).verify(30.0))
    await asyncio.sleep(0)
    await projected.project(late)

    verification = await waiting

    assert verification.clean
    assert verification.events == 6


async def test_a_dead_lettered_child_is_named_and_not_waited_for(projected: ProjectionSide) -> None:
    await projected.happened(updated(age=5))
    dead_lettered = DeadLetters(projected.database, utc_now, GENERATION)
    await dead_lettered.mark({MIA: "UndecodableEvent: not JSON"})

    async with asyncio.timeout(30.0):
        verification = await projected.on_generation(GENERATION).verify(3_600.0)

    assert (verification.behind, verification.dead_lettered) == ({MIA}, {MIA})
    assert not verification.clean


async def test_a_child_that_is_erased_while_it_is_compared_is_behind_and_no_more(
    projected: ProjectionSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a child whose key is gone, whose read models know it and whose stream was read before
    before = [commit async for commit in projected.store.scan()]
    forgotten = await projected.happened(erased())

    async def as_it_was(_: str | None = None) -> AsyncIterator[Commit]:
        for commit in before:
            yield commit

    monkeypatch.setattr(projected.store, "scan", as_it_was)

    verification = await projected.verify()
    await projected.project(forgotten)

    assert [one.field for one in verification.differences] == ["version"]
    assert verification.behind == {MIA}
    assert (await projected.verify()).clean


async def test_parts_and_single_models_can_be_compared(projected: ProjectionSide) -> None:
    children = GENERATION.collection(projected.database, Model.CHILDREN)
    await children.update_one({"_id": MIA}, {"$set": {"age": 12}})
    stream = await stream_of(projected.store, MIA)
    assert stream is not None
    safety = frozenset({Model.SAFETY})

    whole = await projected.on_generation(GENERATION).verify_children([stream])
    part = await projected.on_generation(GENERATION, safety).verify_children([stream])

    assert (whole.found, part.found) == (1, 0)
    assert (part.children, dict(part.documents)) == (1, {"safety": 1})


async def test_what_happens_while_it_is_compared_is_no_difference(
    projected: ProjectionSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a read model that is ahead of what was read of the store
    before = [commit async for commit in projected.store.scan()]
    await projected.project(await projected.happened(updated(age=5)))

    async def as_it_was(_: str | None = None) -> AsyncIterator[Commit]:
        for commit in before:
            yield commit

    monkeypatch.setattr(projected.store, "scan", as_it_was)

    assert (await projected.verify()).clean


async def test_equal_read_models_have_the_same_digest_and_others_have_not(
    projected: ProjectionSide,
) -> None:
    first, again = (await projected.verify()).digest, (await projected.verify()).digest
    await projected.project(await projected.happened(updated(age=5)))

    assert first == again != (await projected.verify()).digest


async def test_a_commit_that_was_altered_is_found(
    projected: ProjectionSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [commit async for commit in projected.store.scan()]

    async def altered(_: str | None = None) -> AsyncIterator[Commit]:
        for commit in stored:
            earlier = commit.recorded_at - timedelta(days=1)
            yield replace(commit, recorded_at=earlier) if commit is stored[2] else commit

    monkeypatch.setattr(projected.store, "scan", altered)

    (difference,) = (await projected.verify()).differences

    assert (difference.model, difference.document, difference.found) == ("commits", MIA, 3)
