"""Assignments, resolutions and reopenings reach the queue, in whatever batches the facts come."""

import pytest

from query_service.read_store.violation_filter import ViolationFilter, ViolationStatus
from query_service.read_store.violation_queue import violation_queue
from shared.events.child import ChildEvent, Severity
from shared.read_models.documents import Model
from tests.support.projection_facts import (
    MIA,
    assigned,
    erased,
    registered,
    reopened,
    reported,
    resolved,
    sealed,
)
from tests.support.projection_side import GENERATION, ProjectionSide

HIGH, LOW = f"{MIA}/violation-1", f"{MIA}/violation-2"
LIFE: tuple[ChildEvent, ...] = (
    registered(),
    reported(2, Severity.LOW),
    reported(1, Severity.HIGH),
    assigned(1),
    assigned(2),
    resolved(1, Severity.HIGH, note=sealed("note"), resolved_by="officer-1"),
    resolved(2, Severity.LOW),
    reopened(1, Severity.HIGH),
    assigned(1, None),
)


async def queue(side: ProjectionSide, wanted: ViolationFilter) -> list[str]:
    violations = GENERATION.collection(side.database, Model.VIOLATIONS)
    return [one["_id"] for one in await violation_queue(violations, wanted, None, 10)]


@pytest.mark.parametrize("size", range(1, len(LIFE) + 1))
async def test_the_queue_has_what_is_open_and_says_whose_it_is(
    side: ProjectionSide, size: int
) -> None:
    batch = await side.happened(*LIFE)

    for start in range(0, len(batch), size):
        await side.project(batch[start : start + size])

    assert await queue(side, ViolationFilter()) == [HIGH]
    assert await queue(side, ViolationFilter(ViolationStatus.RESOLVED)) == [LOW]
    assert await queue(side, ViolationFilter(ViolationStatus.ALL)) == [HIGH, LOW]
    mine = ViolationFilter(ViolationStatus.ALL, assignee="officer-1")
    assert await queue(side, mine) == [LOW]
    assert (await side.verify()).clean


async def test_an_erased_child_leaves_the_queue(side: ProjectionSide) -> None:
    await side.project(await side.happened(*LIFE, erased()))

    assert await queue(side, ViolationFilter(ViolationStatus.ALL)) == []
    assert (await side.verify()).clean
