"""Children folded from their streams, however long those are.

A stream is read page by page, and other commands run between its events. A long one is folded by a
task of its own, which goes on when its command's time is over, and keeps what it has folded: the
next command of the child waits for the rest only. So it is with a snapshot, which may be large.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import reduce

import structlog

from command_service.aggregates.child_tasks import ChildTasks
from command_service.aggregates.snapshots import BEFORE_REGISTRATION, LoadedChild, Snapshots
from command_service.bus.errors import ChildLoading
from command_service.child.decider import CHANGES_NOTHING, evolve
from command_service.child.state import Child
from shared.event_store.envelope import Commit, RecordedEvent
from shared.event_store.port import EventStore, Snapshot
from shared.keyring.keyring import ChildCipher
from shared.serialization.events import NOT_OF_THAT_SCHEMA, decode_what_opens
from shared.serialization.schema import UndecodableEvent

PAGE = 200
"""Commits that are read at a time. Who has fewer to read, as a child with its usual snapshot, is
folded by its command."""

BESIDE_OTHERS = 50
"""Commits that a task of its own reads at a time: unpacking a page is one step for all others."""

CHUNK = 10
"""Events folded without a pause: about half a millisecond."""

AT_A_TIME = 2
PATIENCE_SECONDS = 0.8
"""How long a command waits: less than its deadline, which would report a store that is away."""

WAITING_AT_MOST = 50
"""Long streams that are folded or wait for it: whoever asks for another one comes again."""

INTERIM_EVENTS = 20_000
"""After so many events a snapshot is taken under way: whoever ends loses no more than that."""

_SKIPPED = frozenset(event.__name__ for event in CHANGES_NOTHING)

Keep = Callable[[str, LoadedChild], None]
"""Takes a child, by its id, as far as it is folded."""

log = structlog.get_logger(__name__)


class StreamFolding:
    """What of a child is folded already is given to `keep`."""

    def __init__(
        self,
        store: EventStore,
        snapshots: Snapshots,
        keep: Keep,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._keep = keep
        self._patience = patience_seconds
        self._under_way = ChildTasks[LoadedChild]("child_not_loaded")
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._long = 0

    async def catch_up(
        self, child_id: str, known: LoadedChild | None, cipher: ChildCipher | None
    ) -> LoadedChild:
        """`known`, or else the child's snapshot, with all that the store has after it. Raises
        ChildLoading, StoreUnavailable."""
        while True:
            if (task := self._under_way.get(child_id)) is not None:
                known = await self._outcome(task)
            elif known is None:
                known = await self._from_snapshot(child_id, cipher)
                continue
            commits = await self._page(child_id, known)
            if len(commits) < PAGE:
                return await folded(known, commits, cipher)
            if self._under_way.get(child_id) is None:
                if self._long >= WAITING_AT_MOST:
                    raise ChildLoading
                work = self._fold_all(child_id, known, commits, cipher)
                self._under_way.begin(child_id, work)

    async def abandon(self, child_id: str) -> None:
        """Load the child no further, as far as it is being loaded."""
        await self._under_way.abandon(child_id)

    async def _outcome(self, task: "asyncio.Task[LoadedChild]") -> LoadedChild:
        await asyncio.wait({task}, timeout=self._patience)
        if not task.done() or task.cancelled():
            raise ChildLoading
        return task.result()

    async def _from_snapshot(self, child_id: str, cipher: ChildCipher | None) -> LoadedChild | None:
        """None while a large one is being read. A store that is away is no large snapshot: it is
        asked by the command itself."""
        snapshot = None if cipher is None else await self._snapshots.find(child_id)
        if cipher is None or snapshot is None:
            return BEFORE_REGISTRATION
        if not snapshot.apart:
            return await self._opened(snapshot, cipher)
        if self._under_way.get(child_id) is None:
            self._under_way.begin(child_id, self._opened(snapshot, cipher))
        return None

    async def _opened(self, snapshot: Snapshot, cipher: ChildCipher) -> LoadedChild:
        known = await self._snapshots.opened(snapshot, cipher)
        if known is None:
            return BEFORE_REGISTRATION
        self._keep(snapshot.child_id, known)
        return known

    async def _fold_all(
        self,
        child_id: str,
        known: LoadedChild,
        commits: Sequence[Commit],
        cipher: ChildCipher | None,
    ) -> LoadedChild:
        self._long += 1
        try:
            async with self._places:
                return await self._fold_pages(child_id, known, commits, cipher)
        finally:
            self._long -= 1

    async def _fold_pages(
        self,
        child_id: str,
        known: LoadedChild,
        commits: Sequence[Commit],
        cipher: ChildCipher | None,
    ) -> LoadedChild:
        while True:
            began = time.perf_counter()
            known = await folded(known, commits, cipher)
            self._keep(child_id, known)
            is_last = len(commits) < BESIDE_OTHERS
            if cipher is not None and (is_last or known.since_snapshot >= INTERIM_EVENTS):
                known = await self._snapshots.take_if_due(child_id, known, cipher)
            if is_last:
                return known
            # half of the process is the others'
            await asyncio.sleep(time.perf_counter() - began)
            commits = await self._page(child_id, known, BESIDE_OTHERS)

    async def _page(self, child_id: str, known: LoadedChild, most: int = PAGE) -> list[Commit]:
        return await self._store.load(child_id, known.position.version, most)


def _evolved(
    cipher: ChildCipher | None, skipped: list[RecordedEvent]
) -> Callable[[Child, RecordedEvent], Child]:
    """Total: a child can be reported on, and erased, whatever became of what is stored of it. What
    it cannot decode is added to `skipped`."""

    def evolved(child: Child, recorded: RecordedEvent) -> Child:
        try:
            event, broken = decode_what_opens(recorded, cipher)
        except (UndecodableEvent, *NOT_OF_THAT_SCHEMA) as error:
            log.warning("event_skipped", event_id=recorded.event_id, error=type(error).__name__)
            skipped.append(recorded)
            return child
        if broken is not None:
            log.warning("value_not_decrypted", event_id=recorded.event_id)
        return evolve(child, event)

    return evolved


async def folded(
    known: LoadedChild, commits: Sequence[Commit], cipher: ChildCipher | None
) -> LoadedChild:
    if not commits:
        return known
    events = [event for commit in commits for event in commit.recorded_events()]
    relevant = [event for event in events if event.type not in _SKIPPED]
    child, skipped = known.child, list[RecordedEvent]()
    evolved = _evolved(cipher, skipped)
    for first in range(0, len(relevant), CHUNK):
        if first:
            await asyncio.sleep(0)
        child = reduce(evolved, relevant[first : first + CHUNK], child)
    since_snapshot = known.since_snapshot + len(events)
    is_whole = known.is_whole and not skipped
    return LoadedChild(child, commits[-1].position, since_snapshot, is_whole)
