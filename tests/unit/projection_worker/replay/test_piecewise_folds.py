"""A history that is folded piece by piece comes to what it comes to at once, however it is cut."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from projection_worker.projections.rules import DEFAULT_RULES
from projection_worker.replay.documents import ChildFold, Folded, fold
from shared.event_store.envelope import RecordedEvent
from shared.events.child import ERASED, ChildErased, ChildEvent
from shared.keyring.keyring import ChildCipher
from shared.serialization.schema import UndecodableEvent
from tests.support.child_facts import ADA
from tests.support.generated_lives import (
    CIPHER,
    INDEX,
    OTHER_CIPHER,
    READABLE,
    RECORDED,
    as_recorded,
)

HISTORIES = st.lists(READABLE, min_size=1, max_size=20)
CUTS = st.lists(st.integers(1, 6), min_size=1)
KEYS = st.sampled_from([CIPHER, OTHER_CIPHER, None])
ERASURE = ChildErased(child_id=ADA, at=RECORDED)


def pieces(recorded: Sequence[RecordedEvent], cuts: list[int]) -> Iterator[list[RecordedEvent]]:
    """One after the other, of the sizes of `cuts` again and again."""
    place, number = 0, 0
    while place < len(recorded):
        size = cuts[number % len(cuts)]
        yield list(recorded[place : place + size])
        place, number = place + size, number + 1


def folded_in_pieces(
    recorded: Sequence[RecordedEvent], cuts: list[int], cipher: ChildCipher | None
) -> Folded:
    ends = max((one.version for one in recorded if one.type == ERASED), default=0)
    growing = ChildFold(cipher, INDEX, DEFAULT_RULES, ends)
    _add_all(growing, pieces(recorded, cuts))
    return growing.folded()


def assert_equal(pieced: Folded, whole: Folded) -> None:
    assert pieced.view == whole.view
    assert str(pieced.unopened) == str(whole.unopened)


def unreadable(recorded: list[RecordedEvent], place: int) -> list[RecordedEvent]:
    return [
        replace(one, data="not JSON") if number == place else one
        for number, one in enumerate(recorded)
    ]


@settings(max_examples=150, deadline=None)
@given(HISTORIES, CUTS, KEYS)
def test_pieces_come_to_what_the_whole_comes_to_whatever_opens(
    events: list[ChildEvent], cuts: list[int], cipher: ChildCipher | None
):
    recorded = as_recorded(events)

    assert_equal(folded_in_pieces(recorded, cuts, cipher), fold(recorded, cipher, INDEX))


@settings(max_examples=100, deadline=None)
@given(HISTORIES, st.lists(READABLE, max_size=8), CUTS, st.data())
def test_of_an_erased_child_nothing_but_the_erasure_has_to_be_readable(
    before: list[ChildEvent], after: list[ChildEvent], cuts: list[int], data: st.DataObject
):
    # given an erasure in the middle, and something before it that nobody can read any more
    recorded = as_recorded([*before, ERASURE, *after])
    spoilt = unreadable(recorded, data.draw(st.integers(0, len(before) - 1)))

    pieced = folded_in_pieces(spoilt, cuts, None)

    assert_equal(pieced, fold(spoilt, None, INDEX))
    assert pieced.view.erased
    assert pieced.view.version == len(recorded)


@settings(max_examples=100, deadline=None)
@given(HISTORIES, CUTS, st.data())
def test_what_cannot_be_read_stops_pieces_where_it_stops_the_whole(
    events: list[ChildEvent], cuts: list[int], data: st.DataObject
):
    # given a child that was never erased, and something that nobody can read
    recorded = as_recorded([one for one in events if not isinstance(one, ChildErased)])
    assume(recorded)
    place = data.draw(st.integers(0, len(recorded) - 1))
    spoilt = unreadable(recorded, place)
    growing = ChildFold(CIPHER, INDEX, DEFAULT_RULES)
    # when
    with pytest.raises(UndecodableEvent):
        _add_all(growing, pieces(spoilt, cuts))
    # then
    with pytest.raises(UndecodableEvent):
        fold(spoilt, CIPHER, INDEX)
    assert_equal(growing.folded(), fold(recorded[:place], CIPHER, INDEX))


def _add_all(growing: ChildFold, some: Iterable[list[RecordedEvent]]) -> None:
    for piece in some:
        growing.add(piece)
