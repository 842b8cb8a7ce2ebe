"""No event is forgotten: some projection folds it, or it is said why none does."""

from typing import get_args

import pytest

from projection_worker.projections import children, safety
from projection_worker.projections.registry import IGNORED, PROJECTIONS, places_of
from shared.events.child import SCHEMA_VERSIONS, ChildEvent
from tests.support.event_samples import EVENTS

BESIDE = {event for projection in PROJECTIONS for event in projection.folds}
FOLDED = BESIDE | {*get_args(children.Folds), *safety.ALERT_EVENTS}


def test_every_event_is_folded_or_ignored_for_a_reason() -> None:
    forgotten = SCHEMA_VERSIONS.keys() - FOLDED - IGNORED.keys()

    assert forgotten == set(), "let a projection declare and fold it, or add it to registry.IGNORED"
    assert FOLDED.isdisjoint(IGNORED)
    assert all(IGNORED.values())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_changes_documents_of_those_that_fold_it_and_of_no_other(
    event: ChildEvent,
) -> None:
    declared = {one.model for one in PROJECTIONS if type(event) in one.folds}

    assert {model for model, _ in places_of(event)} == declared
