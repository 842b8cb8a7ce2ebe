"""No document grows with the life of a child."""

from collections.abc import Mapping

import bson
import pytest

from projection_worker.projections.registry import ChildView, apply_all
from projection_worker.replay.documents import documents_of
from shared.read_models.documents import Model
from tests.support.long_lives import CHILD, long_life

MOST_BYTES = {
    Model.CHILDREN: 96 * 1_024,
    Model.CONVERSATIONS: 16 * 1_024,
    Model.SAFETY: 40 * 1_024,
    Model.VIOLATIONS: 16 * 1_024,
    Model.ACTIVITY: 16 * 1_024,
    Model.ALERTS: 2 * 1_024,
}


def largest(events: int) -> Mapping[Model, int]:
    numbered = (
        (event, number, f"{CHILD}@{number}") for number, event in enumerate(long_life(events), 1)
    )
    sizes: dict[Model, int] = {}
    for (model, _), document in documents_of(apply_all(ChildView(), numbered)).items():
        sizes[model] = max(sizes.get(model, 0), len(bson.encode(document)))
    return sizes


@pytest.fixture(scope="module")
def after_a_long_life() -> Mapping[Model, int]:
    return largest(20_000)


def test_every_document_of_a_very_long_life_stays_small(
    after_a_long_life: Mapping[Model, int],
) -> None:
    assert after_a_long_life.keys() == MOST_BYTES.keys()
    for model, size in after_a_long_life.items():
        assert size <= MOST_BYTES[model], model


def test_the_second_half_of_a_life_makes_no_document_larger(
    after_a_long_life: Mapping[Model, int],
) -> None:
    after_half = largest(10_000)

    for model, size in after_a_long_life.items():
        assert size <= 1.1 * after_half[model], model
