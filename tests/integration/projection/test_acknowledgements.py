"""A parent's acknowledgement reaches the stored alert, in whatever batches the facts come."""

import pytest

from shared.events.child import ChildEvent, Severity
from shared.read_models.documents import Model
from tests.support.projection_facts import MIA, acknowledged, registered, reported
from tests.support.projection_side import GENERATION, ProjectionSide

ALERT = f"{MIA}@2:threshold"
OTHER = f"{MIA}@3:threshold"
LIFE: tuple[ChildEvent, ...] = (
    registered(),
    reported(1, Severity.HIGH),
    reported(2, Severity.HIGH),
    acknowledged(1),
    acknowledged(1, minutes=9),
)


@pytest.mark.parametrize("size", range(1, len(LIFE) + 1))
async def test_the_alert_of_an_acknowledged_violation_is_read_and_no_other(
    side: ProjectionSide, size: int
) -> None:
    batch = await side.happened(*LIFE)

    for start in range(0, len(batch), size):
        await side.project(batch[start : start + size])

    read = {
        key: one["acknowledged_at"] for key, one in (await side.documents(Model.ALERTS)).items()
    }
    assert read == {ALERT: acknowledged(1).at, OTHER: None}
    violations = await side.documents(Model.VIOLATIONS)
    seen = [violations[key]["acknowledged_at"] for key in sorted(violations)]
    assert seen == [acknowledged(1).at, None]
    assert (await side.verify()).clean


async def test_what_was_read_stays_so_when_the_facts_come_again(side: ProjectionSide) -> None:
    batch = await side.happened(*LIFE)
    await side.project(batch)
    before = await side.documents(Model.ALERTS)

    await side.project(batch)

    assert await side.documents(Model.ALERTS) == before


async def test_an_alert_that_lost_its_acknowledgement_is_found(side: ProjectionSide) -> None:
    await side.project(await side.happened(*LIFE))
    alerts = GENERATION.collection(side.database, Model.ALERTS)
    await alerts.update_one({"_id": ALERT}, {"$set": {"acknowledged_at": None}})

    (difference,) = (await side.verify()).differences

    assert (difference.document, difference.field) == (ALERT, "acknowledged_at")
