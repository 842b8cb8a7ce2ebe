"""The event store child by child, of a long stream only its beginning; which events are chosen."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from projection_worker.replay.histories import (
    Selection,
    Stream,
    ends_at,
    in_batches,
    relevant_pages,
    stream_of,
    streams,
)
from shared.event_store.envelope import Actor, Causality, EncodedEvent, NewCommit, StreamPosition
from shared.event_store.port import pages
from shared.events.child import ERASED
from tests.fakes.event_store import MemoryEventStore
from tests.support.commits import append_streams

LONGEST = 5


@pytest_asyncio.fixture
async def store() -> MemoryEventStore:
    """`a` and `c` are short, `b` and `d` long, `e` was erased at version 9 of 10."""
    store = MemoryEventStore()
    await append_streams(store, {"a": [1] * 3, "b": [1] * 12, "c": [2, 2], "d": [3, 3, 1, 1, 1, 1]})
    await append_streams(store, {"e": [1] * 10}, erased_at=9)
    return store


def reported(found: Sequence[Stream]) -> list[tuple[str, int, bool]]:
    return [(one.child_id, len(one.commits), one.is_whole) for one in found]


async def test_long_streams_are_begun_and_passed_over(store: MemoryEventStore):
    found = [stream async for stream in streams(store, longest=LONGEST)]

    assert reported(found) == [
        ("a", 3, True),
        ("b", LONGEST + 1, False),
        ("c", 2, True),
        ("d", LONGEST + 1, False),
        ("e", LONGEST + 1, False),
    ]


@pytest.mark.parametrize(
    ("after", "through", "children"),
    [("", "", "abcde"), ("a", "c", "bc"), ("b", "b", ""), ("b", "d", "cd"), ("e", "", "")],
)
async def test_a_range_of_children_begins_and_ends_where_it_says(
    store: MemoryEventStore, after: str, through: str, children: str
):
    found = [stream async for stream in streams(store, after, through, LONGEST)]

    assert "".join(stream.child_id for stream in found) == children


async def test_a_long_stream_is_a_batch_of_its_own(store: MemoryEventStore):
    batches = [
        ([stream.child_id for stream in batch], events)
        async for batch, events in in_batches(streams(store, longest=LONGEST), 4)
    ]

    assert [children for children, _ in batches] == [["a"], ["b"], ["c"], ["d"], ["e"]]
    assert [events for _, events in batches][:3] == [3, LONGEST + 1, 4]


async def test_one_child_is_found_whole_or_begun_or_not_at_all(store: MemoryEventStore):
    whole, begun = await stream_of(store, "a", LONGEST), await stream_of(store, "b", LONGEST)

    assert whole is not None
    assert begun is not None
    assert (whole.is_whole, begun.is_whole) == (True, False)
    assert await stream_of(store, "nobody", LONGEST) is None


async def test_of_an_erased_child_only_its_beginning_and_its_end_are_reported(
    store: MemoryEventStore,
):
    assert (await ends_at(store, "e"), await ends_at(store, "b")) == (9, 0)

    reported = [event async for page in relevant_pages(store, "e", ends=9) for event in page]
    behind = [event async for page in relevant_pages(store, "e", 1, 9) for event in page]

    assert [event.version for event in reported] == [1, 9, 10]
    assert [event.version for event in behind] == [9, 10]
    assert reported[1].type == ERASED


@given(st.lists(st.integers(1, 4), max_size=12), st.integers(0, 50), st.integers(1, 5))
async def test_pages_hold_every_commit_behind_a_version_once_and_in_order(
    commits: list[int], after: int, size: int
):
    store = MemoryEventStore()
    await append_streams(store, {"mia": commits, "tom": [1]})

    found = [page async for page in pages(store, "mia", after, size)]

    assert [one for page in found for one in page] == await store.load("mia", after)
    assert all(len(page) == size for page in found[:-1])
    assert all(0 < len(page) <= size for page in found)


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def events() -> MemoryEventStore:
    """Mia registers at noon and speaks twice at one; Tom registers at two."""
    events = MemoryEventStore()
    mia = await events.append(_commit("mia", NOON, "ChildRegistered"))
    talk = ("ConversationStarted", "MessageRecorded")
    await events.append(_commit("mia", NOON + HOUR, *talk, expected=mia.position))
    await events.append(_commit("tom", NOON + 2 * HOUR, "ChildRegistered"))
    return events


async def chosen(events: MemoryEventStore, selection: Selection) -> list[str]:
    return [event.event_id async for event in selection.events(events)]


async def test_events_are_chosen_by_child_time_and_type_and_filters_combine(
    events: MemoryEventStore,
):
    assert await chosen(events, Selection()) == ["mia@1", "mia@2", "mia@3", "tom@1"]
    assert await chosen(events, Selection(child_id="tom")) == ["tom@1"]
    assert await chosen(events, Selection(child_id="nobody")) == []
    within = Selection(since=NOON + HOUR, until=NOON + 2 * HOUR)

    assert await chosen(events, within) == ["mia@2", "mia@3"]
    types = frozenset({"ChildRegistered", "MessageRecorded"})

    assert await chosen(events, Selection(types=types)) == ["mia@1", "mia@3", "tom@1"]
    assert await chosen(events, Selection(child_id="mia", since=NOON + HOUR, types=types)) == [
        "mia@3"
    ]


def _commit(
    child_id: str, recorded_at: datetime, *types: str, expected: StreamPosition | None = None
) -> NewCommit:
    return NewCommit(
        child_id=child_id,
        expected=expected or StreamPosition(),
        events=tuple(EncodedEvent(name, 1, recorded_at, "{}") for name in types),
        recorded_at=recorded_at,
        actor=Actor("parent-1", "parent"),
        causality=Causality("correlation-1"),
    )
