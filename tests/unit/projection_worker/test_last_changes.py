"""By which event a value came: of a child's documents only those that differ are kept meanwhile."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from projection_worker.projections.registry import ChildView, apply
from projection_worker.projections.rules import DEFAULT_RULES
from projection_worker.replay.documents import documents_of
from projection_worker.replay.verify.comparison import ABSENT, Difference
from projection_worker.replay.verify.differences import Trace, Traced, value_at
from shared.codec import decode
from shared.envelope import RecordedEvent
from shared.events.child import ChildEvent, Severity
from tests.support.child_facts import ADA
from tests.support.projection_facts import (
    MIA,
    acknowledged,
    registered,
    reported,
    started,
    updated,
    view_of,
)
from tests.support.recorded_lives import CIPHER, INDEX, READABLE, as_recorded


def at(field: str, model: str = "children", document: str = MIA) -> Difference:
    return Difference(MIA, model, document, field, None, None)


def since(differences: Sequence[Difference], events: Sequence[ChildEvent]) -> list[int | None]:
    """The versions by which the values of `differences` came."""
    traced = [Traced(one) for one in differences]
    trace = Trace(traced, DEFAULT_RULES)
    for recorded, event in zip(as_recorded(events), events, strict=True):
        trace.take(replace(recorded, child_id=MIA), event)
    return [None if one.since is None else one.since.version for one in traced]


def test_a_path_leads_to_its_value() -> None:
    documents = documents_of(view_of(registered(), reported(1), reported(2)))

    assert value_at(documents, at("age")) == 6
    assert value_at(documents, at("counting[1].severity", "safety")) == "medium"
    assert value_at(documents, at("counting[7].severity", "safety")) == ABSENT
    assert value_at(documents, at("toys")) == ABSENT
    assert value_at(documents, at("(document)", "safety")) == "present"
    assert value_at(documents, at("(document)", "safety", "tom")) == ABSENT


def test_the_last_event_that_changed_a_value_is_where_it_came_from() -> None:
    happened = [registered(), started(), updated(age=9), started("talk-2"), updated(age=9)]

    assert since([at("age")], happened) == [3]


def test_of_an_alert_the_event_that_raised_it_and_the_one_that_settled_it_are_told() -> None:
    happened: list[ChildEvent] = [
        registered(),
        reported(1, Severity.CRITICAL),
        started(),
        acknowledged(1),
    ]
    (alert,) = (one["_id"] for one in view_of(*happened).alerts)

    assert since(
        [at("severity", "alerts", alert), at("acknowledged_at", "alerts", alert)], happened
    ) == [2, 4]


def test_what_no_event_ever_set_came_by_no_event() -> None:
    assert since([at("toys"), at("age", "safety")], [registered(), started()]) == [None, None]


@settings(max_examples=100, deadline=None)
@given(st.lists(READABLE, min_size=1, max_size=12), st.data())
def test_it_is_the_event_that_a_fold_of_everything_names(
    events: list[ChildEvent], data: st.DataObject
) -> None:
    # given any fields of any documents that the events make
    recorded = as_recorded(events)
    views = _views(recorded)
    places = sorted({place for view in views for place in view})
    chosen = data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4, unique=True))
    differences = [
        Difference(ADA, model, document, field, None, None)
        for model, document in chosen
        for field in sorted({name for view in views for name in view.get((model, document), {})})
    ]
    # when
    traced = [Traced(one) for one in differences]
    trace = Trace(traced, DEFAULT_RULES)
    for one in recorded:
        trace.take(one, decode(one, CIPHER, INDEX))
    # then
    found = [None if one.since is None else one.since.version for one in traced]
    assert found == [_last_change(views, one) for one in differences]


def _views(recorded: Sequence[RecordedEvent]) -> list[dict[Any, Any]]:
    view, views = ChildView(), []
    for one in recorded:
        view = apply(view, decode(one, CIPHER, INDEX), one.version, one.event_id)
        views.append(dict(documents_of(view)))
    return views


def _last_change(views: Sequence[dict[Any, Any]], difference: Difference) -> int | None:
    before, version = ABSENT, None
    for number, documents in enumerate(views, 1):
        if (value := value_at(documents, difference)) != before:
            before, version = value, number
    return version
