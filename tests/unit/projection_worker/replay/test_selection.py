from datetime import UTC, datetime, timedelta

import pytest

from projection_worker.replay.histories import Selection
from shared.event_store.envelope import Actor, Causality, EncodedEvent, NewCommit, StreamPosition
from tests.fakes.event_store import MemoryEventStore

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def store() -> MemoryEventStore:
    """Mia registers at noon and speaks twice at one; Tom registers at two."""
    store = MemoryEventStore()
    mia = await store.append(_commit("mia", NOON, "ChildRegistered"))
    talk = ("ConversationStarted", "MessageRecorded")
    await store.append(_commit("mia", NOON + HOUR, *talk, expected=mia.position))
    await store.append(_commit("tom", NOON + 2 * HOUR, "ChildRegistered"))
    return store


async def chosen(store: MemoryEventStore, selection: Selection) -> list[str]:
    return [event.event_id async for event in selection.events(store)]


async def test_events_are_chosen_by_child_time_and_type_and_filters_combine(
    store: MemoryEventStore,
) -> None:
    assert await chosen(store, Selection()) == ["mia@1", "mia@2", "mia@3", "tom@1"]
    assert await chosen(store, Selection(child_id="tom")) == ["tom@1"]
    assert await chosen(store, Selection(child_id="nobody")) == []
    within = Selection(since=NOON + HOUR, until=NOON + 2 * HOUR)

    assert await chosen(store, within) == ["mia@2", "mia@3"]
    types = frozenset({"ChildRegistered", "MessageRecorded"})

    assert await chosen(store, Selection(types=types)) == ["mia@1", "mia@3", "tom@1"]
    assert await chosen(store, Selection(child_id="mia", since=NOON + HOUR, types=types)) == [
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
