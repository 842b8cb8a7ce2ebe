"""On random histories the folds of today say what those of projections 6 said, wherever both say
something."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_service.child.commands import ChildCommand
from projection_worker.projections import safety
from projection_worker.projections.registry import ChildView, apply, apply_all
from projection_worker.projections.rules import Rules
from shared.event_store.envelope import event_id
from shared.events.child import ChildEvent, ConversationEnded
from shared.read_models.documents import Model
from tests.support.child_facts import ADA
from tests.support.former_folds import registry as former
from tests.support.former_folds import safety as former_safety
from tests.support.former_folds.events import FormerEvent
from tests.support.generated_lives import EVENTS, LIVES, valid_past

LIMIT = timedelta(hours=4)
ROUNDED = 0.11
"""Minutes that a conversation had too many or too few: it was rounded, and then the sum."""


def numbered(events: Sequence[ChildEvent]) -> list[tuple[ChildEvent, int, str]]:
    return [(event, version, event_id(ADA, version)) for version, event in enumerate(events, 1)]


def folded_before(events: Sequence[FormerEvent]) -> former.ChildView:
    view = former.ChildView()
    for version, event in enumerate(events, 1):
        view = former.apply(view, event, version, event_id(ADA, version))
    return view


def within_the_limit(event: ChildEvent) -> ChildEvent:
    """Older folds know no limit."""
    if not isinstance(event, ConversationEnded) or event.at - event.started_at <= LIMIT:
        return event
    return replace(event, started_at=event.at - LIMIT / 3)


STORED = EVENTS.map(within_the_limit)


def assert_the_same(happened: Sequence[ChildEvent]) -> None:
    events = [event for event in happened if isinstance(event, FormerEvent)]
    if not events:
        return
    old, new = folded_before(events), apply_all(ChildView(), numbered(events), Rules(LIMIT))
    ends = sum(1 for event in events if isinstance(event, ConversationEnded))
    tolerance = ROUNDED * (1 + ends)
    assert new.erased == old.erased
    assert new.alerts == old.alerts
    assert new.acknowledged == old.acknowledged
    assert old.child is not None
    assert new.child is not None
    assert_alike({**new.child}, {**old.child}, {"total_minutes": tolerance})
    assert_conversations(new, old)
    assert_safety(new, old)
    assert_activity(new, old, events, tolerance)


def assert_alike(new: dict[str, Any], old: dict[str, Any], rounded: dict[str, float]) -> None:
    assert new.keys() == old.keys()
    for name, value in old.items():
        near = pytest.approx(value, abs=rounded[name]) if name in rounded else value
        assert new[name] == near, name


def of(view: Any, model: Model) -> dict[str, Any]:
    return {key: one for (kind, key), one in view.documents.items() if kind is model}


def assert_conversations(new: ChildView, old: former.ChildView) -> None:
    talks = of(new, Model.CONVERSATIONS)
    assert talks.keys() == of(old, Model.CONVERSATIONS).keys()
    for key, one in of(old, Model.CONVERSATIONS).items():
        rounded = {"duration_minutes": ROUNDED, "engagement_score": 3 * ROUNDED}
        assert_alike(talks[key], one, rounded)


def assert_safety(new: ChildView, old: former.ChildView) -> None:
    """A list of violations against documents; of two reports of one the first."""
    before = of(old, Model.SAFETY).get(ADA) or former_safety.empty(ADA)
    after = of(new, Model.SAFETY).get(ADA) or safety.empty_safety(ADA)
    listed = before["violations"]
    severe = [each for each in listed if each["severity"] in {"high", "critical"}]
    told_late = sum(1 for each in severe if each["alerted"] != "threshold")
    counters = {name: value for name, value in before.items() if name != "violations"}
    assert after == {**counters, "told_late": told_late}
    expected: dict[str, Any] = {}
    for each in listed:
        key = f"{ADA}/{each['id']}"
        expected.setdefault(key, {"_id": key, "child_id": ADA, **each})
    assert of(new, Model.VIOLATIONS) == expected


def assert_activity(
    new: ChildView, old: former.ChildView, events: Sequence[ChildEvent], tolerance: float
) -> None:
    """Older folds count the minutes of a conversation on the day on which it ended."""
    before, after = of(old, Model.ACTIVITY), of(new, Model.ACTIVITY)
    for key in {*before, *after}:
        day = key.rpartition("@")[2]
        nothing = {**_empty(day), "minutes": 0.0}
        was = {**before.get(key, nothing), "minutes": 0.0}
        assert {**after.get(key, nothing), "minutes": 0.0} == was
        if not any(_over_midnight(event) for event in events):
            minutes = before.get(key, nothing)["minutes"]
            assert after.get(key, nothing)["minutes"] == pytest.approx(minutes, abs=tolerance)
    summed = sum(day["minutes"] for day in before.values())
    assert sum(day["minutes"] for day in after.values()) == pytest.approx(summed, abs=tolerance)


def _empty(day: str) -> dict[str, Any]:
    numbers = dict.fromkeys(("conversations", "messages", "flagged", "violations"), 0)
    return {"_id": f"{ADA}@{day}", "child_id": ADA, "day": day, "topics": {}, **numbers}


def _over_midnight(event: ChildEvent) -> bool:
    if not isinstance(event, ConversationEnded):
        return False
    start, end = event.started_at.astimezone(UTC), event.at.astimezone(UTC)
    return start.date() != end.date()


@settings(max_examples=300, deadline=None)
@given(st.lists(STORED, min_size=1, max_size=25))
def test_any_events_in_any_order_are_folded_as_before(events: list[ChildEvent]):
    assert_the_same(events)


@settings(max_examples=200, deadline=None)
@given(LIVES)
def test_what_is_accepted_is_folded_as_before(commands: list[ChildCommand]):
    _, happened = valid_past(commands)
    assert_the_same([within_the_limit(event) for event in happened])


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=20), st.integers(0, 20))
def test_however_events_are_parted_into_batches_the_documents_are_the_same(
    events: list[ChildEvent], first: int
):
    at_once = apply_all(ChildView(), numbered(events))
    one_by_one = ChildView()
    for event, version, identity in numbered(events):
        one_by_one = apply(one_by_one, event, version, identity)
    in_two = apply_all(ChildView(), numbered(events)[:first])
    in_two = apply_all(in_two, numbered(events)[first:])

    assert at_once == one_by_one == in_two


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=10), st.lists(EVENTS, min_size=1, max_size=10))
def test_a_view_is_not_changed_by_what_is_folded_onto_it(
    before: list[ChildEvent], after: list[ChildEvent]
):
    view, same = (apply_all(ChildView(), numbered(before)) for _ in range(2))

    apply_all(view, numbered(after))

    assert view == same
