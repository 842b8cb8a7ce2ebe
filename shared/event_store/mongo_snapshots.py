"""Snapshots in MongoDB, in parts; and what commits of earlier releases hold in clear."""

import secrets
from collections.abc import Collection as AnyCollection
from collections.abc import Mapping

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from shared.event_store.commit_documents import TIMEOUT_SECONDS, within
from shared.event_store.envelope import BEHIND_OLDER_KEYS, after_all_commits, before_all_commits
from shared.event_store.port import BEAR, OLDER_ALIAS, OlderContent, Snapshot
from shared.events.personal import LABELS_IN_CLEAR, LAST_IN_CLEAR
from shared.mongo import Collection, Database, Document

COLLECTION = "snapshots"

PARTS_AT_ONCE = 4
"""Of at most 1 MiB each, in one answer of the server."""

_PARTS_OF_A_CHILD = IndexModel(
    [("child_id", ASCENDING), ("set", ASCENDING), ("number", ASCENDING)],
    name="parts",
    partialFilterExpression={"child_id": {"$exists": True}},
)


async def ensure_snapshot_indexes(database: Database) -> None:
    """Only parts name their child beside their `_id`."""
    async with within(TIMEOUT_SECONDS):
        await database[COLLECTION].create_indexes([_PARTS_OF_A_CHILD])


class MongoSnapshotStore:
    """No call to the server lasts longer than `timeout_seconds`."""

    def __init__(self, database: Database, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._database = database
        self._snapshots = database[COLLECTION]
        self._is_indexed = False
        self._timeout = timeout_seconds

    async def save(self, snapshot: Snapshot) -> None:
        if len(snapshot.parts) == 1:
            before = await self._name(snapshot, {"payload": snapshot.parts[0]})
            if before is not None and "set" in before:
                await self._remove_others(snapshot, "")
            return
        name = secrets.token_hex(8)  # parts of two who save the same snapshot are never mixed
        for number, part in enumerate(snapshot.parts):
            async with within(self._timeout):
                await self._snapshots.insert_one(_part(snapshot, name, number, part))
        # the earlier release knows no other than the payload, and leaves this schema alone
        before = await self._name(snapshot, {"payload": "", "set": name})
        if before is None:
            await self._remove({"child_id": snapshot.child_id, "set": name})
        else:
            await self._remove_others(snapshot, name)

    async def latest(self, child_id: str) -> Snapshot | None:
        async with within(self._timeout):
            document = await self._snapshots.find_one({"_id": child_id})
        if document is None:
            return None
        apart = document.get("set", "")
        return Snapshot(
            child_id=document["_id"],
            version=document["version"],
            hash=document["hash"],
            schema=document["schema"],
            parts=() if apart else (document["payload"],),
            apart=apart,
        )

    async def parts_of(self, snapshot: Snapshot) -> tuple[str, ...]:
        if not snapshot.apart:
            return snapshot.parts
        of_snapshot = {"child_id": snapshot.child_id, "set": snapshot.apart}
        parts: list[Document] = []
        while not parts or not parts[-1]["is_last"]:
            following = {**of_snapshot, "number": {"$gte": len(parts)}}
            found = self._snapshots.find(following).sort("number", ASCENDING).limit(PARTS_AT_ONCE)
            async with within(self._timeout):
                page = await found.to_list(None)
            if not page:
                return ()
            parts += page
        is_whole = parts[-1]["number"] == len(parts) - 1
        return tuple(part["payload"] for part in parts) if is_whole else ()

    async def delete(self, child_id: str) -> bool:
        await self._index()
        async with within(self._timeout):
            deleted = await self._snapshots.delete_many(_all_of([child_id]))
        return deleted.deleted_count > 0

    async def kept_of(self, child_ids: AnyCollection[str]) -> set[str]:
        wanted = _all_of(list(child_ids))
        await self._index()
        async with within(self._timeout):
            found = await self._snapshots.find(wanted, {"child_id": 1}).to_list(None)
        return {str(document.get("child_id", document["_id"])) for document in found}

    async def _index(self) -> None:
        """Whoever looks by child does not wait for another process to be upgraded first: without
        the index, the server would read all snapshots."""
        if not self._is_indexed:
            await ensure_snapshot_indexes(self._database)
            self._is_indexed = True

    async def _name(self, snapshot: Snapshot, content: Document) -> Document | None:
        """Make it the child's snapshot; what that was before, empty for none. None: one that is not
        older is there, and stays."""
        older = {"_id": snapshot.child_id, "version": {"$lt": snapshot.version}}
        head = {"version": snapshot.version, "hash": snapshot.hash, "schema": snapshot.schema}
        async with within(self._timeout):
            try:
                # the upsert collides with the child's document when that is not older
                before: Document | None = await self._snapshots.find_one_and_replace(
                    older, head | content, {"set": 1}, upsert=True
                )
            except DuplicateKeyError:
                return None
        return before or {}

    async def _remove_others(self, snapshot: Snapshot, name: str) -> None:
        """Parts that no snapshot will name any more: older ones, and what was left by who ended."""
        others = {"version": {"$lte": snapshot.version}, "set": {"$ne": name}}
        await self._remove({"child_id": snapshot.child_id, **others})

    async def _remove(self, wanted: Document) -> None:
        async with within(self._timeout):
            await self._snapshots.delete_many(wanted)


def _part(snapshot: Snapshot, name: str, number: int, payload: str) -> Document:
    return {
        "_id": f"{snapshot.child_id}/{name}/{number}",
        "child_id": snapshot.child_id,
        "set": name,
        "number": number,
        "is_last": number == len(snapshot.parts) - 1,
        "version": snapshot.version,
        "payload": payload,
    }


def _all_of(child_ids: list[str]) -> Document:
    return {"$or": [{"_id": {"$in": child_ids}}, {"child_id": {"$in": child_ids}}]}


COMMITS_A_STEP = 20_000
"""Read in some hundredths of a second: no question to the server lasts longer for a longer life."""

_BY_ID = [("_id", ASCENDING)]

_OLDER: Mapping[OlderContent, Document] = {
    OlderContent.PRINTS: {
        "$or": [
            {"idempotency.key": {"$lt": BEHIND_OLDER_KEYS}},
            {"actor.role": BEAR, "actor.subject": {"$regex": OLDER_ALIAS}},
        ]
    },
    OlderContent.LABELS: {
        "events": {
            "$elemMatch": {
                "type": {"$in": list(LABELS_IN_CLEAR)},
                "schema_version": {"$lte": LAST_IN_CLEAR},
            }
        }
    },
}


async def older_content(
    commits: Collection, child_id: str, timeout_seconds: float, step: int = COMMITS_A_STEP
) -> frozenset[OlderContent]:
    """Raises StoreUnavailable when a step takes longer than `timeout_seconds`."""
    found: set[OlderContent] = set()
    after: str | None = before_all_commits(child_id)
    while after is not None and len(found) < len(_OLDER):
        async with within(timeout_seconds):
            until = await _end_of_step(commits, after, child_id, step)
        last = {"$lt": after_all_commits(child_id)} if until is None else {"$lte": until}
        for kind in _OLDER.keys() - found:
            wanted = {"_id": {"$gt": after, **last}, **_OLDER[kind]}
            async with within(timeout_seconds):
                # by that index, whatever else the server would choose
                if await commits.find_one(wanted, {"_id": 1}, hint=_BY_ID) is not None:
                    found.add(kind)
        after = until
    return frozenset(found)


async def _end_of_step(commits: Collection, after: str, child_id: str, step: int) -> str | None:
    """The id of the last commit of a step; None where the stream ends before."""
    following = {"_id": {"$gt": after, "$lt": after_all_commits(child_id)}}
    ids = commits.find(following, {"_id": 1}).sort(_BY_ID).skip(step - 1).limit(1)
    found = await ids.to_list(None)
    return found[0]["_id"] if found else None
