"""No event is forgotten: some projection folds it, or it is said why none does."""

from typing import get_args

import pytest

from projection_worker.projections import alerts, children
from projection_worker.projections.registry import IGNORED, PROJECTIONS, places_of
from shared.events.child import SCHEMA_VERSIONS, ChildEvent
from tests.support.event_samples import SAMPLES

BESIDE = {event for projection in PROJECTIONS for event in projection.folds}
FOLDED = BESIDE | {*get_args(children.Folds), *get_args(alerts.Folds)}


def test_every_event_is_folded_or_ignored_for_a_reason() -> None:
    forgotten = SCHEMA_VERSIONS.keys() - FOLDED - IGNORED.keys()

    assert forgotten == set(), "add it to the Folds of a projection, or to registry.IGNORED"
    assert FOLDED.isdisjoint(IGNORED)
    assert all(IGNORED.values())


def test_a_projection_declares_events_and_nothing_else() -> None:
    assert all(projection.folds for projection in PROJECTIONS)
    assert set(get_args(ChildEvent)) >= FOLDED
