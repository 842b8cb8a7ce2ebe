"""The event store on MongoDB: one document a commit, its `_id` the optimistic lock."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from shared.event_store.commit_documents import (
    COLLECTION,
    TIMEOUT_SECONDS,
    from_document,
    insert_each,
    insert_in_order,
    to_document,
    within,
)
from shared.event_store.envelope import (
    BEHIND_OLDER_KEYS,
    Commit,
    NewCommit,
    after_all_commits,
    commit_id,
    seal_commit,
)
from shared.event_store.group_commit import GroupCommit, outcome_when_taken
from shared.event_store.mongo_claims import COLLECTION as CLAIMS
from shared.event_store.mongo_claims import OLDER
from shared.event_store.mongo_snapshots import ensure_snapshot_indexes, older_content
from shared.event_store.port import (
    AlreadyCommitted,
    OlderContent,
    StoreUnavailable,
    VersionConflict,
)
from shared.events.child import CONSENTING, ERASED
from shared.fault_points import FaultPoint, reached
from shared.mongo import Database, Document

SCAN_BATCH = 1_000

_BY_ID = [("_id", ASCENDING)]

ERASING: Document = {"events.type": ERASED}

OF_CONSENTS: Document = {"events.type": {"$in": list(CONSENTING)}}
_CONSENTS = "consents"

IN_A_STREAM: Document = {"events": {"$ne": []}}
"""Not those that only keep the key of a command that changed nothing. They are in the same
collection so that one unique index guards all keys: no key is ever in both."""


async def ensure_indexes(database: Database) -> None:
    """An idempotency key is in at most one commit; `_id` serves every other look-up but those of
    erasures: which streams ended, which bears a child had, and which parts of snapshots. And of
    `ensure_consents_index`."""
    key = IndexModel(
        [("idempotency.key", ASCENDING)],
        name="idempotency_key",
        unique=True,
        partialFilterExpression={"idempotency.key": {"$exists": True}},
    )
    erasures = IndexModel(
        [("child_id", ASCENDING)], name="erasures", partialFilterExpression=ERASING
    )
    claims = IndexModel([("child_id", ASCENDING)], name="child_id")
    older_claims = IndexModel(
        [("form", ASCENDING), ("_id", ASCENDING)],
        name="older_claims",
        partialFilterExpression=OLDER,
    )
    async with within(TIMEOUT_SECONDS):
        await database[COLLECTION].create_indexes([key, erasures])
        await database[CLAIMS].create_indexes([claims, older_claims])
    await ensure_snapshot_indexes(database)


async def ensure_consents_index(database: Database) -> None:
    """By which a child's consents are found; no command needs it. The server needs minutes for it
    in a large store of an earlier release, and goes on when nobody waits for it any more. Raises
    StoreUnavailable."""
    consents = IndexModel(
        [("child_id", ASCENDING), ("first_version", DESCENDING)],
        name=_CONSENTS,
        partialFilterExpression=OF_CONSENTS,
    )
    async with within(TIMEOUT_SECONDS):
        await database[COLLECTION].create_indexes([consents])


class MongoEventStore:
    """Appends in groups (`batchers` inserts at a time, `max_group` commits in each).

    No call lasts longer than `timeout_seconds`. Close it to finish the appends under way.
    """

    def __init__(
        self,
        database: Database,
        timeout_seconds: float = TIMEOUT_SECONDS,
        batchers: int = 2,
        max_group: int = 500,
    ) -> None:
        self._commits = database[COLLECTION]
        self._timeout = timeout_seconds
        self._group_commit = GroupCommit(self._insert, batchers, max_group)
        self._look_ups = GroupCommit(self._look_up, batchers)

    async def append(self, commit: NewCommit) -> Commit:
        sealed = seal_commit(commit)
        async with within(self._timeout):
            return await self._group_commit.submit(sealed)

    async def append_in_order(self, commits: Sequence[Commit]) -> int:
        if not commits:
            return 0  # the driver takes no empty list
        documents = [to_document(commit) for commit in commits]
        reached(FaultPoint.COMMAND_BEFORE_APPEND)
        async with within(self._timeout):
            landed = await insert_in_order(self._commits, documents)
        reached(FaultPoint.COMMAND_AFTER_APPEND)
        return landed

    async def load(
        self, child_id: str, after_version: int = 0, limit: int | None = None
    ) -> list[Commit]:
        following = {"$gt": commit_id(child_id, after_version), "$lt": after_all_commits(child_id)}
        commits = await self._find({"_id": following}, _BY_ID, limit=limit or 0)
        first_version = commits[0].first_version if commits else None
        if after_version > 0 and first_version != after_version + 1:
            # A commit of several events may begin at or before after_version and end beyond it.
            up_to = {"$gt": commit_id(child_id, 0), "$lte": commit_id(child_id, after_version)}
            last = await self._find({"_id": up_to}, [("_id", DESCENDING)], limit=1)
            commits = [c for c in last if c.last_version > after_version] + commits
        return commits[:limit]

    async def last(self, child_id: str) -> Commit | None:
        of_child = {"$gt": commit_id(child_id, 0), "$lt": after_all_commits(child_id)}
        found = await self._find({"_id": of_child}, [("_id", DESCENDING)], limit=1)
        return next(iter(found), None)

    async def find_by_idempotency_key(self, key: str, older: str | None = None) -> Commit | None:
        """Together with the look-ups of others: after an upgrade every command has one."""
        return await self._look_ups.submit((key, older or key))

    async def has_older_keys(self) -> bool:
        older = {"idempotency.key": {"$lt": BEHIND_OLDER_KEYS}}
        async with within(self._timeout):
            return await self._commits.find_one(older, {"_id": 1}) is not None

    async def older_content(self, child_id: str) -> frozenset[OlderContent]:
        return await older_content(self._commits, child_id, self._timeout)

    async def erased_among(self, child_ids: Collection[str]) -> set[str]:
        wanted = {"child_id": {"$in": list(child_ids)}, **ERASING}
        async with within(self._timeout):
            found = await self._commits.find(wanted, {"child_id": 1}).to_list(None)
        return {document["child_id"] for document in found}

    async def erasures(self, child_ids: Collection[str]) -> dict[str, Commit]:
        found = await self._find({"child_id": {"$in": list(child_ids)}, **ERASING})
        return {one.child_id: one for one in sorted(found, key=lambda one: one.first_version)}

    async def consents(self, child_id: str, before_version: int | None, limit: int) -> list[Commit]:
        """StoreUnavailable as long as the index is not there: without it, every commit of every
        child would be read."""
        wanted: Document = {"child_id": child_id, **OF_CONSENTS}
        if before_version is not None:
            wanted["first_version"] = {"$lt": before_version}
        newest_first = [("first_version", DESCENDING)]
        return await self._find(wanted, newest_first, limit, hint=_CONSENTS)

    async def erased(self, after: str, limit: int) -> list[str]:
        following = {"child_id": {"$gt": after}, **ERASING}
        found = self._commits.find(following, {"child_id": 1}).sort("child_id").limit(limit)
        async with within(self._timeout):
            return [document["child_id"] for document in await found.to_list(None)]

    async def scan(self, after_child: str | None = None) -> AsyncIterator[Commit]:
        # One query a batch instead of one cursor: a reader may take its time between two batches.
        after = after_all_commits(after_child) if after_child else ""
        while True:
            following = {"_id": {"$gt": after}, **IN_A_STREAM}
            batch = await self._find(following, _BY_ID, limit=SCAN_BATCH)
            for commit in batch:
                yield commit
            if len(batch) < SCAN_BATCH:
                return
            after = batch[-1].place

    async def close(self) -> None:
        await asyncio.gather(self._group_commit.close(), self._look_ups.close())

    async def _look_up(self, wanted: Sequence[tuple[str, str]]) -> list[Commit | Exception | None]:
        keys = {key for both in wanted for key in both}
        found = await self._find({"idempotency.key": {"$in": list(keys)}})
        by_key = {commit.idempotency.key: commit for commit in found if commit.idempotency}
        return [by_key.get(key) or by_key.get(older) for key, older in wanted]

    async def _insert(self, offered: Sequence[Commit]) -> list[Commit | Exception]:
        outcomes: list[Commit | Exception] = list(offered)
        reached(FaultPoint.COMMAND_BEFORE_APPEND)
        async with within(self._timeout):
            taken = await insert_each(self._commits, [to_document(commit) for commit in offered])
        reached(FaultPoint.COMMAND_AFTER_APPEND)
        if taken:
            refused = await self._explain([offered[place] for place in taken])
            for place, outcome in zip(taken, refused, strict=True):
                outcomes[place] = outcome
        return outcomes

    async def _explain(self, refused: Sequence[Commit]) -> list[Commit | Exception]:
        keys = [commit.idempotency.key for commit in refused if commit.idempotency]
        choices: list[Document] = [{"_id": {"$in": [commit.place for commit in refused]}}]
        if keys:
            choices.append({"idempotency.key": {"$in": keys}})
        try:
            standing = await self._find({"$or": choices})
        except StoreUnavailable as error:
            return [error] * len(refused)  # the rest of the group is durable and gets that outcome
        return [_outcome(commit, standing) for commit in refused]

    async def _find(
        self,
        query: Document,
        sort: list[tuple[str, Any]] | None = None,
        limit: int = 0,
        hint: str | None = None,
    ) -> list[Commit]:
        found = self._commits.find(query, sort=sort, limit=limit, hint=hint)
        async with within(self._timeout):
            documents = await found.to_list(None)
        return [from_document(document) for document in documents]


def _outcome(refused: Commit, standing: Sequence[Commit]) -> Commit | Exception:
    key = refused.idempotency.key if refused.idempotency else None
    at_its_place = [c for c in standing if c.place == refused.place]
    with_its_key = [c for c in standing if key and c.idempotency and c.idempotency.key == key]
    if not at_its_place and not with_its_key:
        return StoreUnavailable("the conflicting commit is not yet confirmed by the majority")
    try:
        return outcome_when_taken(
            refused, next(iter(at_its_place), None), next(iter(with_its_key), None)
        )
    except (AlreadyCommitted, VersionConflict) as error:
        return error
