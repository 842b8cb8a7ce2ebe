"""How far the relay has come, saved behind the lease's fencing number."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.lease import LeaseLost
from shared.mongo import Database, Document

COLLECTION = "relay"
_ID = "commits"

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

Ends = dict[int, int]
"""The offset after the last acknowledged record, by partition of the topic."""


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
        self._relay = database[COLLECTION]

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
        content = {
            "token": checkpoint.token,
            "ends": {str(partition): end for partition, end in checkpoint.ends.items()},
            "commits": checkpoint.commits,
            "events": checkpoint.events,
            "recorded_at": checkpoint.recorded_at,
        }
        saved = await self._relay.update_one({"_id": _ID, "fencing": fencing}, {"$set": content})
        if saved.matched_count == 0:
            raise LeaseLost(f"fencing number {fencing} is out of date")


def _from_document(document: Document | None) -> Checkpoint:
    if document is None or "ends" not in document:
        return Checkpoint()
    ends = {int(partition): end for partition, end in document["ends"].items()}
    if document["token"] is None:
        return Checkpoint(ends=ends)
    return Checkpoint(
        token=document["token"],
        ends=ends,
        commits=document["commits"],
        events=document["events"],
        recorded_at=document["recorded_at"],
    )
