"""However a child's events come, in batches or one by one, its documents are the same."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from projection_worker.projections.registry import ChildView, apply, apply_all
from shared.event_store.envelope import event_id
from shared.events.child import ChildEvent
from tests.support.child_facts import ADA
from tests.support.generated_lives import EVENTS


def numbered(events: Sequence[ChildEvent]) -> list[tuple[ChildEvent, int, str]]:
    return [(event, version, event_id(ADA, version)) for version, event in enumerate(events, 1)]


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=20), st.integers(0, 20))
def test_however_events_are_parted_into_batches_the_documents_are_the_same(
    events: list[ChildEvent], first: int
) -> None:
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
) -> None:
    view, same = (apply_all(ChildView(), numbered(before)) for _ in range(2))

    apply_all(view, numbered(after))

    assert view == same
