from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from projection_worker.projections.registry import ChildView, apply, change, contribution
from shared.events.child import ChildEvent, Severity
from tests.support.projection_facts import (
    MIA,
    deactivated,
    erased,
    message,
    reactivated,
    registered,
    reported,
    started,
    view_of,
)


def test_an_active_child_counts_for_status_safety_and_engagement() -> None:
    counts = contribution(view_of(registered(), started(), message()).child)

    assert counts["children_active"] == 1
    assert counts["safety_excellent"] == 1
    assert counts["engagement_learning"] == 1
    assert (counts["conversations"], counts["messages"]) == (1, 1)


def test_a_deactivated_child_leaves_the_distributions_but_not_the_totals() -> None:
    counts = contribution(view_of(registered(), started(), deactivated()).child)

    assert counts["children_deactivated"] == 1
    assert counts["conversations"] == 1
    assert not any(name.startswith(("safety_", "engagement_")) for name in +counts)


def test_an_erased_child_is_only_counted_as_erased() -> None:
    assert +contribution(view_of(registered(), started(), erased()).child) == {"children_erased": 1}


def test_no_child_counts_for_nothing() -> None:
    assert contribution(None) == {}


STEPS = (started(), reported(1, Severity.HIGH), deactivated(), reactivated(), erased())


@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_changes_add_up_to_the_contribution_whatever_happens(steps: list[ChildEvent]) -> None:
    view = ChildView()
    total: Counter[str] = Counter()
    for version, event in enumerate([registered(), *steps], 1):
        before = view.child
        view = apply(view, event, version, f"{MIA}@{version}")
        assert view.child is not None
        total.update(change(before, view.child))

    assert +total == +contribution(view.child)
