"""What stays of an erased child's history, looked at page by page."""

from dataclasses import replace

import pytest

from deploy.proofs.erasure import wrong_with
from shared.event_store.envelope import Commit
from tests.fakes.event_store import MemoryEventStore
from tests.support.commits import append_streams

CHILD = "mia"


@pytest.fixture(autouse=True)
def _in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.event_store.port.PAGE", 2)


async def wrong(store: MemoryEventStore) -> list[str]:
    return [what async for what in wrong_with(store, CHILD)]


async def test_a_whole_history_that_ends_with_the_erasure_is_right():
    store = MemoryEventStore()
    await append_streams(store, {CHILD: [1, 2, 1, 1, 1]}, erased_at=6)

    assert await wrong(store) == []


async def test_one_that_goes_on_or_is_not_there_is_named():
    store = MemoryEventStore()
    assert await wrong(store) == ["the child's history is missing"]

    await append_streams(store, {CHILD: [1] * 5})

    assert await wrong(store) == ["the history does not end with the erasure"]


@pytest.mark.parametrize("place", [0, 1, 2, 5])
async def test_a_commit_that_was_altered_is_named_in_whichever_page_it_is(
    place: int, monkeypatch: pytest.MonkeyPatch
):
    store = MemoryEventStore()
    await append_streams(store, {CHILD: [1] * 6}, erased_at=6)
    stored = await store.load(CHILD)
    stored[place] = replace(stored[place], result={"conversation_id": "another"})

    async def load(_: str, after_version: int = 0, limit: int | None = None) -> list[Commit]:
        return [one for one in stored if one.last_version > after_version][:limit]

    monkeypatch.setattr(store, "load", load)

    assert await wrong(store) == [f"version {place + 1}: content differs from hash"]


async def test_what_nobody_knows_how_to_read_is_named(monkeypatch: pytest.MonkeyPatch):
    store = MemoryEventStore()
    await append_streams(store, {CHILD: [1] * 4}, erased_at=4)
    monkeypatch.setattr("shared.serialization.events.CLASSES", {})

    assert await wrong(store) == [
        *(f"version {n}: unknown event type 'ChildReactivated'" for n in (1, 2, 3)),
        "version 4: unknown event type 'ChildErased'",
    ]
