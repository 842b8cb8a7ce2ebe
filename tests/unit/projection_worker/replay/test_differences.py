"""How stored documents differ from folded ones, and by which event a value came."""

import dataclasses
import typing
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projection_worker.projections.registry import ChildView, Place, apply
from projection_worker.projections.rules import DEFAULT_RULES
from projection_worker.replay.documents import documents_of
from projection_worker.replay.verify.comparison import (
    ABSENT,
    COMMITS,
    MOST_KEPT,
    Difference,
    Verification,
    compare,
    digest,
)
from projection_worker.replay.verify.differences import (
    SEALED_FIELDS,
    Trace,
    Traced,
    in_a_line,
    value_at,
)
from shared.event_store.envelope import RecordedEvent
from shared.events.child import SCHEMA_VERSIONS, ChildEvent, Severity
from shared.events.personal import Personal
from shared.read_models.documents import Model
from shared.serialization.events import decode
from tests.support.child_facts import ADA
from tests.support.generated_lives import CIPHER, INDEX, READABLE, as_recorded
from tests.support.projection_facts import (
    MIA,
    acknowledged,
    registered,
    reported,
    started,
    updated,
    view_of,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CHILD: Place = (Model.CHILDREN, "mia")
SAFETY: Place = (Model.SAFETY, "mia")
ALERT: Place = (Model.ALERTS, "mia@3/high")


def compared(expected: Any, found: Any, place: Place = CHILD) -> list[tuple[str, object, object]]:
    noted = compare("mia", {place: expected}, {place: found})
    return [(one.field, one.expected, one.found) for one in noted]


def test_the_order_of_documents_and_fields_does_not_matter_to_a_digest_but_their_place_does():
    one = {CHILD: {"age": 6, "seen": NOON}, SAFETY: {"total": 1}}
    other = {SAFETY: {"total": 1}, CHILD: {"seen": NOON, "age": 6}}

    assert digest(one) == digest(other)
    assert digest({CHILD: {"age": 6}}) != digest({(Model.CHILDREN, "tom"): {"age": 6}})


@pytest.mark.parametrize("age", [7, 6.0, None, "6", True, 6 + 0j])
def test_every_other_value_has_another_digest_and_is_a_difference(age: object):
    assert digest({CHILD: {"age": 6}}) != digest({CHILD: {"age": age}})
    assert compared({"age": 6}, {"age": age}) == [("age", 6, age)]


def test_when_an_alert_was_delivered_is_not_compared():
    noted, delivered = {"severity": "high"}, {"severity": "high", "delivered": {"in_app": NOON}}

    assert digest({ALERT: noted}) == digest({ALERT: delivered})
    assert compared(noted, delivered, ALERT) == []


def test_a_document_or_a_field_that_one_side_lacks_is_one_difference():
    lost = list(compare("mia", {CHILD: {"age": 6}}, {}))
    stray = list(compare("mia", {}, {CHILD: {"age": 6}}))

    assert lost == [Difference("mia", "children", "mia", "(document)", "present", "absent")]
    assert stray == [Difference("mia", "children", "mia", "(document)", "absent", "present")]
    assert compared({"age": 6}, {}) == [("age", 6, ABSENT)]
    assert compared({}, {"age": 6}) == [("age", ABSENT, 6)]


def test_nested_fields_are_reported_by_their_path():
    expected = {"policy": {"threshold": "high"}, "violations": [{"id": 1, "outcome": None}]}
    found = {"policy": {"threshold": "low"}, "violations": [{"id": 1, "outcome": "confirmed"}]}

    assert compared(expected, found) == [
        ("policy.threshold", "high", "low"),
        ("violations[0].outcome", None, "confirmed"),
    ]


def test_of_two_lists_of_documents_only_what_differs_is_reported_and_plain_values_whole():
    first, second = {"id": 1}, {"id": 2}

    assert compared({"all": [first, second]}, {"all": [first]}) == [("all[1]", second, ABSENT)]
    assert compared({"all": [first]}, {"all": [first, second]}) == [("all[1]", ABSENT, second)]
    noted = compared({"topics": ["space", "sea"]}, {"topics": ["sea"]})

    assert noted == [("topics", ["space", "sea"], ["sea"])]


def test_verifications_of_parts_add_up_to_that_of_the_whole():
    whole, part = Verification(children=1, digest=2**256 - 1), Verification(children=2, digest=3)
    part.documents["children"] = 2
    part.behind, part.dead_lettered = {"mia", "tom"}, {"tom"}
    for number in range(MOST_KEPT + 1):
        part.note(Difference("mia", "children", "mia", "age", number, 0))

    whole.add(part)
    whole.add(part)

    assert (whole.children, whole.documents["children"], whole.digest) == (5, 4, 5)
    assert (whole.behind, whole.dead_lettered) == ({"mia", "tom"}, {"tom"})
    assert (whole.found, len(whole.differences)) == (2 * MOST_KEPT + 2, MOST_KEPT)
    assert not whole.clean


def at(field: str, model: str = "children", document: str = MIA) -> Difference:
    return Difference(MIA, model, document, field, None, None)


def since(differences: Sequence[Difference], events: Sequence[ChildEvent]) -> list[int | None]:
    """The versions by which the values of `differences` came."""
    traced = [Traced(one) for one in differences]
    trace = Trace(traced, DEFAULT_RULES)
    for recorded, event in zip(as_recorded(events), events, strict=True):
        trace.take(replace(recorded, child_id=MIA), event)
    return [None if one.since is None else one.since.version for one in traced]


def test_a_path_leads_to_its_value():
    documents = documents_of(view_of(registered(), reported(1), reported(2)))

    assert value_at(documents, at("age")) == 6
    assert value_at(documents, at("counting[1].severity", "safety")) == "medium"
    assert value_at(documents, at("counting[7].severity", "safety")) == ABSENT
    assert value_at(documents, at("toys")) == ABSENT
    assert value_at(documents, at("(document)", "safety")) == "present"
    assert value_at(documents, at("(document)", "safety", "tom")) == ABSENT


def test_the_last_event_that_changed_a_value_is_where_it_came_from():
    happened = [registered(), started(), updated(age=9), started("talk-2"), updated(age=9)]

    assert since([at("age")], happened) == [3]


def test_of_an_alert_the_event_that_raised_it_and_the_one_that_settled_it_are_reported():
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


def test_what_no_event_ever_set_came_by_no_event():
    assert since([at("toys"), at("age", "safety")], [registered(), started()]) == [None, None]


@settings(max_examples=100, deadline=None)
@given(st.lists(READABLE, min_size=1, max_size=12), st.data())
def test_it_is_the_event_that_a_fold_of_everything_names(
    events: list[ChildEvent], data: st.DataObject
):
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


def event(version: int, event_type: str = "ChildProfileUpdated") -> RecordedEvent:
    return RecordedEvent(
        child_id=MIA,
        version=version,
        type=event_type,
        schema_version=1,
        occurred_at=NOON,
        recorded_at=NOON,
        data="{}",
        correlation_id="correlation-1",
    )


def test_a_difference_names_place_both_values_and_the_event_it_came_by():
    difference = Difference("mia", "children", "mia", "safety_score", 85.0, 95.0)

    assert in_a_line(difference, event(7, "SafetyViolationReported")) == (
        "children/mia safety_score: events say 85.0, read model has 95.0 "
        "(since version 7: SafetyViolationReported)"
    )


def test_a_dead_lettered_child_is_named_as_dead_lettered():
    difference = Difference("mia", "children", "mia", "version", 6, 5)

    said = in_a_line(difference, event(6), "UndecodableEvent: not JSON")

    assert said.endswith(
        "(since version 6: ChildProfileUpdated); dead-lettered: UndecodableEvent: not JSON"
    )


@pytest.mark.parametrize("field", ["name", "udid", "name_tokens", "violations[2].details"])
def test_of_a_personal_value_only_that_it_differs_is_said(field: str):
    said = in_a_line(Difference("mia", "children", "mia", field, "Mia", "Emma"))

    assert said == f"children/mia {field}: the encrypted value differs from the events"


def test_personal_values_inside_a_lost_document_are_not_said():
    entry = {"id": "violation-1", "details": "she said her name is Mia"}

    said = in_a_line(Difference("mia", "safety", "mia", "violations[0]", entry, ABSENT))

    assert "Mia" not in said
    assert "'violation-1'" in said
    assert said.endswith("read model has (absent)")


def test_what_events_seal_is_never_said():
    sealed = {
        field.name
        for event_class in SCHEMA_VERSIONS
        for field in dataclasses.fields(event_class)
        if Personal.__name__ in str(typing.get_type_hints(event_class)[field.name])
    }
    assert {"name", "udid", "details"} <= sealed
    assert sealed - {"reason"} <= SEALED_FIELDS  # why a child was deactivated is in no read model


def test_a_broken_chain_and_wrong_counters_are_said_as_what_they_are():
    broken = Difference("mia", COMMITS, "mia", "hash", "predecessor differs", 3)
    counters = Difference("", Model.SYSTEM, "(sum)", "messages", 1, 2)

    assert in_a_line(broken) == "commits/mia hash: predecessor differs: version 3"
    assert in_a_line(counters) == ("system/(sum) messages: sum over the children 1, counter 2")
