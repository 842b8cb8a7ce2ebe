"""How far the topic has come, saved behind the lease's fencing number, and how far it is behind."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime

import structlog
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, PyMongoError

from shared.clock import Clock
from shared.event_store.commit_documents import COLLECTION
from shared.event_store.envelope import RecordedEvent
from shared.lease import LeaseLost
from shared.mongo import Database, Document

_COLLECTION = "relay"
_ID = "commits"
LEASE = "relay"
"""Whoever has it publishes, and moves the place."""
COUNT_EVERY_SECONDS = 1.0

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

Ends = dict[int, int]
"""The offset after the last acknowledged record, by partition of the topic."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Records that the broker has: `offset` of the first (-1: not reported) and their number."""

    partition: int
    offset: int
    records: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything before change stream `token` is on the topic, which ends at `ends` or later.

    Without token nothing is known to be there: the whole store has to be published; `ends` is then
    how far consumers may have read before the topic lost records. `commits` and
    `events` count what was published, `recorded_at` is when the last of it was recorded.
    """

    token: Document | None = None
    ends: Ends = field(default_factory=dict)
    commits: int = 0
    events: int = 0
    recorded_at: datetime = BEGINNING


class Checkpoints:
    """Every write is conditional on the fencing number: a leader that was paused and wakes up late
    cannot move the position back. Raises LeaseLost."""

    def __init__(self, database: Database) -> None:
        self._relay = database[_COLLECTION]

    async def take(self, fencing: int) -> Checkpoint:
        """The last checkpoint, closed from now on to writers with a lower number."""
        try:
            document = await self._relay.find_one_and_update(
                {"_id": _ID, "fencing": {"$lte": fencing}},
                {"$set": {"fencing": fencing}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            raise LeaseLost(f"fencing number {fencing} is out of date") from None
        return _from_document(document)

    async def read(self) -> Checkpoint:
        """The last checkpoint, for those who do not lead."""
        return _from_document(await self._relay.find_one({"_id": _ID}))

    async def save(self, fencing: int, checkpoint: Checkpoint) -> None:
        ends = {str(partition): end for partition, end in checkpoint.ends.items()}
        content = {**asdict(checkpoint), "ends": ends}
        saved = await self._relay.update_one({"_id": _ID, "fencing": fencing}, {"$set": content})
        if saved.matched_count == 0:
            raise LeaseLost(f"fencing number {fencing} is out of date")


def _from_document(document: Document | None) -> Checkpoint:
    if document is None or "ends" not in document:
        return Checkpoint()
    ends = {int(partition): end for partition, end in document["ends"].items()}
    if document["token"] is None:
        return Checkpoint(ends=ends)
    saved = {each.name: document[each.name] for each in fields(Checkpoint)}
    return Checkpoint(**{**saved, "ends": ends})


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

    def advance(
        self, events: Sequence[RecordedEvent], commits: int, acknowledged: Sequence[Acknowledged]
    ) -> list[int]:
        """The `events` of `commits` commits are on the topic, as `acknowledged`. Gives the
        partitions that had lost records; also then it advances: consumers may have read the others.

        None are of commits that only keep an idempotency key: they count, as they are stored.
        """
        ends = dict(self.checkpoint.ends)
        lost = [part.partition for part in acknowledged if not _extend(ends, part)]
        self._caught_up = False
        self.checkpoint = replace(
            self.checkpoint,
            ends=ends,
            commits=self.checkpoint.commits + commits,
            events=self.checkpoint.events + len(events),
            recorded_at=events[-1].recorded_at if events else self.checkpoint.recorded_at,
        )
        return lost

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


def _extend(ends: dict[int, int], acknowledged: Acknowledged) -> bool:
    """False when the partition had lost records: it ended before where it had ended."""
    if acknowledged.offset < 0:  # a repeated send that the broker knew already
        return True
    end = ends.get(acknowledged.partition, 0)
    ends[acknowledged.partition] = max(end, acknowledged.offset + acknowledged.records)
    return acknowledged.offset >= end
