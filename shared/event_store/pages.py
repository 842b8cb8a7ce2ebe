"""A child's stream a page at a time, however long it is."""

from collections.abc import AsyncIterator

from shared.envelope import Commit
from shared.event_store.port import EventStore

PAGE = 2_000
"""Commits. A commit holds the few events of one command."""


async def pages(
    store: EventStore, child_id: str, after_version: int = 0, size: int | None = None
) -> AsyncIterator[list[Commit]]:
    """The child's commits with versions above `after_version`, in order, `size` (`PAGE`) in each
    list but the last; no list for a child without any. Raises StoreUnavailable."""
    page = size or PAGE
    while commits := await store.load(child_id, after_version, page):
        yield commits
        if len(commits) < page:
            return
        after_version = commits[-1].last_version
