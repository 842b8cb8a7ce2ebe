"""One child's events up to a point, a page at a time, and its read models at that point."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from projection_worker.projector import UNREADABLE
from projection_worker.replay.folding import ChildFold, Folded
from projection_worker.replay.histories import ends_at, telling_pages
from projection_worker.replay.opened import Opened
from projection_worker.replay.refusals import NotFound, Refused
from projection_worker.replay.rules_of import rules_of
from shared.clock import iso
from shared.envelope import Commit, RecordedEvent
from shared.event_store.pages import pages
from shared.event_store.port import EventStore
from shared.read_models.generations import live_generation


@dataclass(frozen=True, slots=True)
class Span:
    """Versions `first` to `last` of a child are shown. `point`: the version that its read models
    are shown at; `end`: the child's newest."""

    child_id: str
    first: int
    last: int
    point: int
    end: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which versions: up to `until`, a version or what was recorded by a time; from `first` on, or
    the newest; `limit` at most. None: no bound."""

    until: int | datetime | None = None
    first: int | None = None
    limit: int | None = None


async def span_of(store: EventStore, child_id: str, wanted: Wanted) -> Span:
    """Raises NotFound or Refused."""
    newest = await store.last(child_id)
    if newest is None:
        raise NotFound(f"no child {child_id} is in the event store")
    end = newest.last_version
    point = await _point(store, child_id, wanted.until, end)
    limit = point if wanted.limit is None else wanted.limit
    first = max(1, point - limit + 1) if wanted.first is None else wanted.first
    if not 1 <= first <= point:
        raise Refused(f"--from-version: the versions up to that point are 1 to {point}")
    return Span(child_id, first, min(point, first + limit - 1), point, end)


async def events_within(
    store: EventStore, span: Span
) -> AsyncIterator[list[tuple[Commit, RecordedEvent]]]:
    """A page at a time, each event with its commit."""
    async for commits in pages(store, span.child_id, span.first - 1):
        page = [
            (commit, event)
            for commit in commits
            for event in commit.recorded_events()
            if span.first <= event.version <= span.last
        ]
        if page:
            yield page
        if commits[-1].last_version >= span.last:
            return


async def view_at(on: Opened, span: Span, seen: Callable[[int], Awaitable[None]]) -> Folded:
    """The read models at the point. `seen` is told how many more events were folded. Raises
    NotFound."""
    child_id, point = span.child_id, span.point
    cipher = (await on.keyring.ciphers([child_id])).get(child_id)
    ends = await ends_at(on.store, child_id)
    rules = await rules_of(on.database, await live_generation(on.database))
    counting = ends if ends <= point else 0
    fold, done = ChildFold(cipher, on.index, rules, counting), 0
    try:
        async for events in telling_pages(on.store, child_id, 0, counting):
            fold.add(event for event in events if event.version <= point)
            await seen(events[-1].version - done)
            done = events[-1].version
            if done >= point:
                break
    except UNREADABLE as error:
        raise NotFound(f"the history cannot be folded: {type(error).__name__}: {error}") from None
    return fold.folded()


async def _point(store: EventStore, child_id: str, until: int | datetime | None, end: int) -> int:
    if until is None:
        return end
    if isinstance(until, int):
        if not 1 <= until <= end:
            raise Refused(f"--until: the child's versions are 1 to {end}")
        return until
    first = (await store.load(child_id, limit=1))[0]
    if first.recorded_at > until:
        raise Refused(f"--until: the child's first event was recorded {iso(first.recorded_at)}")
    return await _newest_by(store, child_id, until, end)


async def _newest_by(store: EventStore, child_id: str, until: datetime, end: int) -> int:
    """The newest version recorded by then, found by halving: versions are recorded in order."""
    known, beyond = 1, end + 1
    while beyond - known > 1:
        middle = (known + beyond) // 2
        commit = (await store.load(child_id, middle - 1, 1))[0]
        if commit.recorded_at <= until:
            known = max(middle, commit.last_version)
        else:
            beyond = min(middle, commit.first_version)
    return known
