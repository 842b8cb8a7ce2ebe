"""An erased child's documents go in steps, whatever ends the worker between them."""

from contextlib import suppress
from dataclasses import replace
from itertools import count, pairwise
from typing import Any

import pytest

from projection_worker.projecting import removal
from projection_worker.projecting.removal import Removal, documents_beside
from shared.events.child import Severity
from shared.fault_points import FaultPoint
from shared.read_models.deliveries import deliveries
from shared.read_models.documents import ALL_MODELS, Model
from tests.support.projection_facts import (
    MIA,
    acknowledged,
    ended,
    erased,
    message,
    registered,
    reported,
    resolved,
    started,
)
from tests.support.projection_side import ProjectionSide

TALKS = 7
A_LONG_LIFE = (
    registered(),
    *(started(f"talk-{number}") for number in range(TALKS)),
    *(message(f"talk-{number}") for number in range(TALKS)),
    *(ended(f"talk-{number}", end=number * 1_440 + 13) for number in range(TALKS)),
    *(reported(number, Severity.HIGH, minutes=1_440 * number) for number in range(5)),
    resolved(2),
    acknowledged(3),
)


class WorkerKilled(Exception):
    """Stands for the end of the process: nothing catches it."""


def _dies_at_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = count(1)

    def reached(point: FaultPoint) -> None:
        if point is FaultPoint.WORKER_MID_ERASURE and next(steps) == number:
            raise WorkerKilled

    monkeypatch.setattr(removal, "reached", reached)


async def _left(side: ProjectionSide) -> int:
    """How many documents there are beside the child's own."""
    models = ALL_MODELS - {Model.CHILDREN, Model.SYSTEM}
    beside = [len(await side.documents(model)) for model in models]
    return sum(beside) + await deliveries(side.database).count_documents({})


@pytest.mark.parametrize("killed_at", [1, 2, 5, 9, 13])
async def test_a_worker_killed_at_any_step_goes_on_with_what_is_left(
    side: ProjectionSide, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    # given
    monkeypatch.setattr(removal, "STEP_DOCUMENTS", 2)
    await side.project(await side.happened(*A_LONG_LIFE))
    models = ALL_MODELS - {Model.SYSTEM}
    documents = sum([len(await side.documents(model)) for model in models])
    before = await _left(side)
    erasure = await side.happened(erased())
    # when the worker dies
    with monkeypatch.context() as dying:
        _dies_at_step(killed_at, dying)
        with pytest.raises(WorkerKilled):
            await side.project(erasure)
    # then some of it is gone, and the erasure is still to come
    assert before - 2 * killed_at <= await _left(side) < before
    assert (await side.child(MIA))["status"] == "active"
    # when another one is handed the same record
    projected = await side.another_projector().project(erasure)
    # then
    assert await _left(side) == 0
    child = await side.child(MIA)
    assert (child["status"], child["name"], "removed" in child) == ("erased", None, False)
    assert [one.removed for one in projected.erasures] == [documents]
    assert (await side.verify()).clean


async def test_no_step_holds_more_than_a_step(
    side: ProjectionSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "STEP_DOCUMENTS", 3)
    await side.project(await side.happened(*A_LONG_LIFE))
    left = [await _left(side)]
    step = Removal._step

    async def noting(self: Removal, *what: Any, **how: Any) -> bool:
        done = await step(self, *what, **how)
        left.append(await _left(side))
        return done

    monkeypatch.setattr(Removal, "_step", noting)
    await side.project(await side.happened(erased()))

    assert left[-1] == 0
    assert all(0 <= earlier - later <= 3 for earlier, later in pairwise(left))


async def test_other_children_of_the_batch_are_written_before_anything_is_removed(
    side: ProjectionSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    await side.project(await side.happened(*A_LONG_LIFE))
    batch = await side.happened(erased(), replace(registered(), child_id="emma"))
    # when the worker dies at the first step
    _dies_at_step(1, monkeypatch)
    with suppress(WorkerKilled):
        await side.project(batch)
    # then
    assert (await side.child("emma"))["version"] == 1
    # when the batch comes again
    monkeypatch.undo()
    projected = await side.another_projector().project(batch)
    # then
    assert {notice.child_id for notice in projected.notices} == {MIA, "emma"}
    assert (await side.verify()).clean


async def test_a_child_that_moved_on_meanwhile_is_erased_with_what_came(
    side: ProjectionSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    await side.project(await side.happened(*A_LONG_LIFE))
    late = await side.happened(started("late"), reported(9, Severity.HIGH))
    erasure = await side.happened(erased())
    of = Removal.of
    overtaken = count()

    async def overtaking(self: Removal, *children: Any) -> None:
        await of(self, *children)
        if next(overtaken) == 0:
            await side.another_projector().project(late)

    monkeypatch.setattr(Removal, "of", overtaking)
    # when one worker writes while the other removes
    await side.project([*late, *erasure])
    # then
    assert next(overtaken) > 1
    assert await _left(side) == 0
    assert (await side.child(MIA))["status"] == "erased"
    assert (await side.verify()).clean


def test_what_is_looked_for_after_an_erasure_is_every_model_of_a_child() -> None:
    assert documents_beside(MIA).keys() == ALL_MODELS - {Model.CHILDREN, Model.SYSTEM}
