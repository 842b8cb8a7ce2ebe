"""Every fold takes every sequence of events: what `decide` accepts, and what no `decide` would."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import bson
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_service.aggregates.snapshot_layout import to_lines
from command_service.child.account import AccountStatus
from command_service.child.commands import ChildCommand
from command_service.child.decider import evolve
from command_service.child.state import Child
from projection_worker.projections.registry import ChildView, apply, contribution
from projection_worker.replay.documents import documents_of, fold, without_opened
from projection_worker.replay.verify.comparison import digest
from shared.event_store.envelope import event_id
from shared.events.child import ChildErased, ChildEvent
from shared.read_models.documents import Model
from shared.serialization.events import decode
from tests.support.child_facts import ADA
from tests.support.generated_lives import (
    CIPHER,
    INDEX,
    LIVES,
    OTHER_CIPHER,
    RECORDED,
    STORED,
    as_recorded,
    valid_past,
)
from tests.support.projection_facts import (
    MIA,
    TALK,
    deactivated,
    ended,
    erased,
    later,
    message,
    policy,
    registered,
    reported,
    resolved,
    sealed,
    started,
    updated,
    view_of,
)
from tests.support.snapshot_side import from_lines


def folded(events: Sequence[ChildEvent]) -> ChildView:
    view = ChildView()
    for version, event in enumerate(events, 1):
        view = apply(view, event, version, event_id(ADA, version))
    return view


def assert_sane(view: ChildView, version: int) -> None:
    assert view.child is not None
    child: dict[str, Any] = {**view.child}
    assert child["version"] == version
    assert 0.0 <= child["safety_score"] <= 100.0
    assert child["open_violations_count"] >= 0
    assert not (child["open_violations_count"] and child["safety_status"] == "excellent")
    assert all(count >= 0 for count in contribution(view.child).values())
    assert len(view.documents.get((Model.SAFETY, ADA), {}).get("counting", ())) < 100


@settings(max_examples=250, deadline=None)
@given(st.lists(STORED, min_size=1, max_size=20))
def test_any_events_in_any_order_are_folded(events: list[ChildEvent]):
    view = folded(events)

    assert_sane(view, len(events))
    assert digest(documents_of(view)) > 0
    child = reduce(evolve, events, Child())
    assert _text(from_lines(to_lines(child))) == _text(child)


@settings(max_examples=100, deadline=None)
@given(LIVES)
def test_what_does_not_open_changes_only_what_is_made_from_open_values(
    commands: list[ChildCommand],
):
    _, happened = valid_past(commands)
    stored = as_recorded(happened)

    opened, closed = fold(stored, CIPHER, INDEX), fold(stored, OTHER_CIPHER, INDEX)

    expected = without_opened(documents_of(opened.view))
    assert without_opened(documents_of(closed.view)) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(STORED, max_size=8), st.lists(STORED, max_size=8))
def test_nothing_that_comes_after_an_erasure_brings_anything_back(
    before: list[ChildEvent], after: list[ChildEvent]
):
    ends = folded([*before, ChildErased(child_id=ADA, at=RECORDED)])
    goes_on = folded([*before, ChildErased(child_id=ADA, at=RECORDED), *after])

    assert goes_on.documents == {}
    assert goes_on.alerts == ()
    assert goes_on.erased
    assert ends.child is not None
    noted = {"version", "updated_at"}
    kept = {name: value for name, value in (goes_on.child or {}).items() if name not in noted}
    assert kept == {name: value for name, value in ends.child.items() if name not in noted}


@settings(max_examples=200, deadline=None)
@given(LIVES)
def test_what_is_accepted_passes_every_fold_snapshot_and_verification(commands: list[ChildCommand]):
    # given what was accepted, as it is stored
    child, happened = valid_past(commands)
    recorded = as_recorded(happened)
    if not recorded:
        return
    is_erased = child.status is AccountStatus.ERASED
    # when workers fold it event by event, while the key is there
    view = ChildView()
    for one in recorded:
        view = apply(view, decode(one, CIPHER, INDEX), one.version, one.event_id)
    # then
    assert_sane(view, len(recorded))
    documents = documents_of(view)
    assert all(bson.encode(document) for document in documents.values())
    # and verify, which folds anew, finds the same
    anew = fold(recorded, None if is_erased else CIPHER, INDEX)
    assert anew.unopened is None
    assert digest(documents_of(anew.view)) == digest(documents)
    state = _text(child)
    assert _text(reduce(evolve, (decode(one, CIPHER) for one in recorded), Child())) == state
    assert _text(from_lines(to_lines(child))) == state


def test_a_violation_of_an_unknown_conversation_counts_for_the_child_alone():
    view = view_of(registered(), reported(conversation_id="nobody-knows"))

    assert view.child is not None
    assert view.child["safety_violations_count"] == 1
    assert {model for model, _ in view.documents} == {
        Model.SAFETY,
        Model.VIOLATIONS,
        Model.ACTIVITY,
    }


@pytest.mark.parametrize(
    "event", [message(), ended(), reported(conversation_id=TALK)], ids=lambda e: type(e).__name__
)
def test_what_names_a_conversation_before_its_start_makes_none(event: ChildEvent):
    early = view_of(registered(), event, started(minutes=60))

    talk = early.documents[Model.CONVERSATIONS, f"{MIA}/{TALK}"]
    assert (talk["message_count"], talk["safety_violations"], talk["ended_at"]) == (0, 0, None)


def test_a_conversation_that_starts_twice_keeps_what_it_has():
    view = view_of(registered(), started(), message(), started(topic="music", minutes=9))

    talk = view.documents[Model.CONVERSATIONS, f"{MIA}/{TALK}"]
    assert (talk["message_count"], talk["topic"], talk["started_at"]) == (1, "space", later(1))


def test_resolving_what_was_never_reported_makes_nobody_better_than_well():
    view = view_of(registered(), resolved(1), resolved(2), reported(3))

    assert view.child is not None
    assert (view.child["safety_score"], view.child["open_violations_count"]) == (90.0, 1)


def test_a_child_whose_first_event_is_no_registration_is_counted_until_it_comes():
    early = view_of(reported(), deactivated(), updated(age=5), policy())
    late = view_of(reported(), registered(device_id=sealed("device_id")))

    assert early.child is not None
    assert (early.child["parent_id"], early.child["name"], early.child["age"]) == ("", None, 5)
    assert late.child is not None
    assert (late.child["parent_id"], late.child["safety_violations_count"]) == ("parent-1", 1)


def test_an_erasure_alone_leaves_a_tombstone():
    view = view_of(erased())

    assert view.child is not None
    assert (view.child["status"], view.child["version"], view.erased) == ("erased", 1, True)


def _text(child: Child) -> list[Any]:
    """As it stands in a snapshot, whose ids are in no order."""
    head, *ids = map(orjson.loads, to_lines(child))
    return [head, *([kind, sorted(entries)] for kind, entries in ids)]
