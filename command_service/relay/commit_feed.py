"""Commits in the order in which they became durable: a change stream, read in batches.

The drivers hand out a change stream one document a call, which costs Motor a thread switch each.
The same protocol (aggregate with $changeStream, getMore) gives whole batches, and a token that
moves on while nothing happens, so that an idle relay's token does not grow too old.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bson.codec_options import CodecOptions
from pymongo.errors import OperationFailure

from shared.event_store.commit_documents import COLLECTION, PUBLISHED_FIELDS, recorded_events
from shared.event_store.envelope import Commit, RecordedEvent
from shared.mongo import Database, Document, Mongo, Session

WAIT_MS = 500
"""How long the server waits for a commit before it answers with an empty batch."""

_AWARE: CodecOptions[Document] = CodecOptions(tz_aware=True)

# InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost
_USELESS_TOKEN = (260, 280, 286)


class StartOver(Exception):
    """The saved position is of no use: the whole store has to be published again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of `commits` commits, oldest first, and the token after the last of them.

    An empty batch says that the feed has caught up.
    """

    events: list[RecordedEvent]
    commits: int
    token: Document


class OpenFeed:
    """A change stream that stands somewhere. The next batch is fetched while one is at work."""

    def __init__(self, database: Database, session: Session, first: Document, size: int) -> None:
        self._database = database
        self._session = session
        self._cursor = first["cursor"]
        self._size = size
        self._ahead: asyncio.Task[Batch] | None = None

    @property
    def token(self) -> Document:
        """Where the feed stands."""
        token: Document = self._cursor["postBatchResumeToken"]
        return token

    async def next_batch(self) -> Batch:
        """The next commits, or an empty batch after WAIT_MS. Raises StartOver."""
        batch = await (self._ahead or self._fetch())
        self._ahead = asyncio.create_task(self._fetch())
        return batch

    async def close(self) -> None:
        if self._ahead is not None:  # it holds the session for at most WAIT_MS
            await asyncio.gather(self._ahead, return_exceptions=True)

    async def _fetch(self) -> Batch:
        if self._cursor["id"] == 0:
            raise StartOver("the collection was dropped")
        command = {
            "getMore": self._cursor["id"],
            "collection": COLLECTION,
            "batchSize": self._size,
            "maxTimeMS": WAIT_MS,
        }
        reply = await _run(self._database, command, self._session)
        self._cursor = reply["cursor"]
        changes = self._cursor["nextBatch"]
        events = [e for change in changes for e in recorded_events(change["fullDocument"])]
        return Batch(events, len(changes), self.token)


class CommitFeed:
    """Opens change streams over the commits of the event store, `size` commits a batch."""

    def __init__(self, mongo: Mongo, database: Database, size: int) -> None:
        self._mongo = mongo
        self._database = database
        self.size = size

    @asynccontextmanager
    async def open(self, after: Document | None) -> AsyncIterator[OpenFeed]:
        """A feed that continues after the token `after`; without, it begins now.

        Raises StartOver when the server no longer has the history since `after`.
        """
        command = {
            "aggregate": COLLECTION,
            "pipeline": [
                {"$changeStream": {"resumeAfter": after} if after else {}},
                {"$match": {"operationType": "insert"}},
                {"$project": {f"fullDocument.{name}": True for name in PUBLISHED_FIELDS}},
            ],
            "cursor": {"batchSize": 0},
        }
        async with self._mongo.session() as session:
            first = await _run(self._database, command, session)
            feed = OpenFeed(self._database, session, first, self.size)
            try:
                yield feed
            finally:
                await feed.close()


async def in_batches(commits: AsyncIterator[Commit], size: int) -> AsyncIterator[list[Commit]]:
    """The commits of a scan, `size` at a time."""
    batch: list[Commit] = []
    async for commit in commits:
        batch.append(commit)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def _run(database: Database, command: dict[str, Any], session: Session) -> Document:
    try:
        return await database.command(command, codec_options=_AWARE, session=session)
    except OperationFailure as error:
        if error.code in _USELESS_TOKEN:
            raise StartOver(f"the change stream cannot resume (code {error.code})") from error
        raise
