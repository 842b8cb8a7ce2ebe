"""How far the topic has come, and how far it is behind the event store."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from pymongo.errors import PyMongoError

from command_service.relay.checkpoint import Checkpoint, Checkpoints, Ends
from shared.clock import Clock
from shared.envelope import RecordedEvent
from shared.event_store.commit_documents import COLLECTION
from shared.mongo import Database, Document

COUNT_EVERY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Progress:
    """The leader's checkpoint as it advances; a stand-by's copy of the one that was saved last.

    Counting exactly what waits would need an index that every append pays for. The server knows the
    number of commits for nothing: `lag_events` is that number (at most a second old) less the
    commits published, times the events of a commit so far. It is an estimate, set right each time
    the change stream runs dry; then it is 0. `lag_seconds` is the time since the last published
    commit was recorded or, if shorter, since something was first seen to wait.
    """

    def __init__(self, database: Database, checkpoints: Checkpoints, now: Clock) -> None:
        self._commits = database[COLLECTION]
        self._checkpoints = checkpoints
        self._now = now
        self._stored = 0
        self._behind_since: datetime | None = None
        self._fencing = 0
        self._caught_up = False
        self.checkpoint = Checkpoint()
        self.leading = False

    @property
    def lag_events(self) -> int:
        done = self.checkpoint
        events_a_commit = done.events / done.commits if done.commits else 1.0
        return math.ceil(self._pending() * events_a_commit)

    @property
    def lag_seconds(self) -> float:
        if self._pending() == 0:
            return 0.0
        since = self._behind_since or self._now()
        waited = self._now() - max(since, self.checkpoint.recorded_at)
        return max(0.0, waited.total_seconds())

    async def lead(self, fencing: int) -> None:
        """Continue from the last checkpoint. Raises LeaseLost."""
        self._fencing = fencing
        self.checkpoint = await self._checkpoints.take(fencing)
        self.leading = True

    def stand_by(self) -> None:
        self.leading = self._caught_up = False

    def begin_again(self, ends: Ends) -> None:
        """Nothing is known to be on the topic, which ends at `ends`."""
        self.checkpoint = Checkpoint(ends=ends)

    def advance(self, events: Sequence[RecordedEvent], commits: int, ends: Ends) -> None:
        """The `events` of `commits` commits are on the topic, which now ends at `ends`.

        None are of commits that only keep an idempotency key: they count, as they are stored.
        """
        self._caught_up = False
        self.checkpoint = replace(
            self.checkpoint,
            ends=ends,
            commits=self.checkpoint.commits + commits,
            events=self.checkpoint.events + len(events),
            recorded_at=events[-1].recorded_at if events else self.checkpoint.recorded_at,
        )

    def reach(self, token: Document, caught_up: bool = False) -> None:
        """Everything before `token` is on the topic; when `caught_up` that is all there is."""
        self.checkpoint = replace(self.checkpoint, token=token)
        self._caught_up = caught_up

    async def save(self) -> None:
        """Save the checkpoint. Raises LeaseLost."""
        await self._checkpoints.save(self._fencing, self.checkpoint)

    async def watch_store(self) -> None:
        """Look once a second how much is stored, until cancelled."""
        while True:
            try:
                await self.look()
            except PyMongoError as error:
                log.warning("lag_unknown", error=type(error).__name__)
            await asyncio.sleep(COUNT_EVERY_SECONDS)

    async def look(self) -> None:
        stored = await self._commits.estimated_document_count()
        if self.leading and self._caught_up:
            self.checkpoint = replace(self.checkpoint, commits=stored)
        elif not self.leading:
            saved = await self._checkpoints.read()
            if not self.leading:  # it may have begun to lead meanwhile
                self.checkpoint = saved
        self._stored = stored
        behind = self._pending() > 0
        self._behind_since = (self._behind_since or self._now()) if behind else None

    def _pending(self) -> int:
        return max(0, self._stored - self.checkpoint.commits)
