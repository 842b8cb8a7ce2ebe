"""The audit trail's database: blocks, signed heads and segments. Nothing is ever updated but the
end of a segment; what is deleted, a signed statement of the purge stands for."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from shared.audit.block_documents import block_in, document_of, place_in
from shared.audit.chain import Block, Tail, place_of
from shared.audit.port import BlockPlace
from shared.event_store.commit_documents import TIMEOUT_SECONDS, within
from shared.event_store.port import StoreUnavailable
from shared.mongo import Collection, Database, Document

BLOCKS, HEADS, SEGMENTS, PURGES = ("audit_blocks", "audit_heads", "audit_segments", "audit_purges")
NEWEST_FIRST: list[tuple[str, Any]] = [("since", DESCENDING), ("_id", DESCENDING)]
DELETED_AT_ONCE, READ_AT_ONCE = 200, 100
ABOUT_CHILDREN = IndexModel([(name, ASCENDING) for name in ("children", "since", "_id")])
"""In the order in which a child's blocks are listed, so that a page of them reads no others."""

FIRST_DATE, LAST_DATE = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""What is no date, or none that Python has, no process has written: nothing can be listed behind
it."""

OPEN_SEGMENTS = 50
"""Of more segments that never ended, the newest are looked at."""

_WHERE_IT_ENDS = {
    "hash": 1,
    "records": {"$cond": [{"$isArray": "$digests"}, {"$size": "$digests"}, 0]},
}


class SegmentTaken(StoreUnavailable):
    """Somebody else wrote at this place of the segment: the chain is not ours any longer."""


async def ensure_audit_indexes(database: Database) -> None:
    indexes = [
        IndexModel([(field, ASCENDING), ("since", ASCENDING)])
        for field in ("subjects", "operations")
    ]
    async with within(TIMEOUT_SECONDS):
        await database[BLOCKS].create_indexes(
            [*indexes, ABOUT_CHILDREN, IndexModel([("since", ASCENDING)])]
        )


class AuditStore:
    """Raises `unavailable`."""

    def __init__(
        self,
        database: Database,
        timeout_seconds: float = TIMEOUT_SECONDS,
        unavailable: type[StoreUnavailable] = StoreUnavailable,
    ) -> None:
        self._blocks = database[BLOCKS]
        self._heads = database[HEADS]
        self._segments = database[SEGMENTS]
        self._purges = database[PURGES]
        self._in_time = partial(within, timeout_seconds, unavailable)

    async def end(self, segment: str, at: datetime) -> None:
        async with self._in_time():
            await self._segments.update_one({"_id": segment}, {"$set": {"ended_at": at}})

    async def append(self, block: Block) -> None:
        """The same block may be offered again: it is there once. Raises SegmentTaken."""
        document = document_of(block)
        async with self._in_time():
            if block.first == 1:
                began = {"$setOnInsert": {"began_at": block.beside["since"]}}
                await self._segments.update_one({"_id": block.segment}, began, upsert=True)
            try:
                await self._blocks.insert_one(document)
            except DuplicateKeyError:
                standing = await self._blocks.find_one({"_id": document["_id"]})
                if standing is None or standing["hash"] != block.hash:
                    raise SegmentTaken(document["_id"]) from None

    async def add_head(self, segment: str, number: int, statement: str) -> None:
        head = {"_id": place_of(segment, number), "segment": segment, "statement": statement}
        async with self._in_time():
            await self._heads.replace_one({"_id": head["_id"]}, head, upsert=True)

    async def open_tails(self) -> dict[str, Tail]:
        """Where the segments end that were not ended in order: running, or killed."""
        async with self._in_time():
            running = await self._newest_segments("began_at", {"ended_at": None})
            tails = {segment: await self._end_of(segment) for segment in running}
        return {segment: tail for segment, tail in tails.items() if tail != Tail()}

    async def recent_segments(self) -> list[str]:
        """At most OPEN_SEGMENTS of either."""
        async with self._in_time():
            running = await self._newest_segments("began_at", {"ended_at": None})
            ended = await self._newest_segments("ended_at", {"ended_at": {"$type": "date"}})
        return [*running, *ended]

    async def end_of(self, segment: str) -> Tail:
        async with self._in_time():
            return await self._end_of(segment)

    async def time_of(self, segment: str, first: int) -> datetime | None:
        behind = {"_id": {"$gte": place_of(segment, first), "$lt": f"{segment}@:"}}
        async with self._in_time():
            found = await self._blocks.find_one(behind, {"since": 1}, sort=[("_id", ASCENDING)])
        return None if found is None else found.get("since")

    def with_operation(self, operation: str, since: datetime) -> AsyncIterator[Block]:
        return self.blocks({"operations": operation, "since": {"$gte": since}})

    async def _newest_segments(self, by: str, condition: Document) -> list[str]:
        found = self._segments.find(condition, sort=[(by, DESCENDING)], limit=OPEN_SEGMENTS)
        return [segment["_id"] for segment in await found.to_list(None)]

    async def _end_of(self, segment: str) -> Tail:
        last = await self._blocks.find_one(_of(segment), _WHERE_IT_ENDS, sort=[("_id", DESCENDING)])
        if last is None:
            return Tail()
        return Tail(place_in(last["_id"])[1] + last["records"] - 1, str(last.get("hash")))

    async def heads(self) -> list[str]:
        """Every signed head, by segment and in order."""
        return await self._statements(self._heads, {})

    async def open_segments(self) -> list[str]:
        """Those that were not ended in order."""
        async with self._in_time():
            found = await self._segments.find({"ended_at": None}).to_list(None)
        return [segment["_id"] for segment in found]

    async def segments(self) -> list[str]:
        return await self._segments_in(self._blocks)

    async def segments_of_heads(self) -> list[str]:
        return await self._segments_in(self._heads)

    async def _segments_in(self, places: Collection) -> list[str]:
        """By the places in it, from one segment to the next."""
        found: list[str] = []
        after = ""
        while True:
            beyond = {"_id": {"$gt": after}}
            async with self._in_time():
                one = await places.find_one(beyond, {"_id": 1}, sort=[("_id", ASCENDING)])
            if one is None:
                return found
            segment = place_in(one["_id"])[0]
            found.append(segment)
            after = max(f"{segment}@:", one["_id"])

    async def newest_heads(
        self, segment: str, before: int | None, limit: int
    ) -> list[tuple[int, str]]:
        end = f"{segment}@:" if before is None else place_of(segment, before)
        places = {"_id": {"$gt": f"{segment}@", "$lt": end}}
        async with self._in_time():
            found = await self._heads.find(places, sort=[("_id", DESCENDING)], limit=limit).to_list(
                None
            )
        return [(place_in(one["_id"])[1], str(one.get("statement"))) for one in found]

    async def purges(self) -> list[str]:
        """Of each purged segment the newest signed statement."""
        return await self._statements(self._purges, {})

    async def add_purge(self, segment: str, statement: str) -> None:
        """In place of an older one of the segment: each covers all before."""
        purge = {"_id": segment, "statement": statement}
        async with self._in_time():
            await self._purges.replace_one({"_id": segment}, purge, upsert=True)

    async def delete_up_to(self, segment: str, sequence: int) -> None:
        """Blocks up to the one that ends with record `sequence`, in order, so that no gap is ever
        seen."""
        behind = {"_id": {"$gt": f"{segment}@", "$lte": place_of(segment, sequence)}}
        while True:
            async with self._in_time():
                found = await self._blocks.find(
                    behind, {"_id": 1}, sort=[("_id", ASCENDING)], limit=DELETED_AT_ONCE
                ).to_list(None)
                if found:
                    ids = [block["_id"] for block in found]
                    await self._blocks.delete_many({"_id": {"$in": ids}})
            if len(found) < DELETED_AT_ONCE:
                return

    async def delete_heads(self, segment: str, number: int) -> None:
        """The segment's heads up to `number`."""
        up_to = {"_id": {"$gt": f"{segment}@", "$lte": place_of(segment, number)}}
        async with self._in_time():
            await self._heads.delete_many(up_to)

    async def heads_of(self, segment: str) -> list[str]:
        return await self._statements(self._heads, _of(segment))

    async def _statements(self, of: Collection, condition: Document) -> list[str]:
        async with self._in_time():
            found = await of.find(condition, sort=[("_id", ASCENDING)]).to_list(None)
        return [document["statement"] for document in found]

    async def blocks(
        self, condition: Document, *, newest_first: bool = False
    ) -> AsyncIterator[Block]:
        """Blocks that fulfil `condition`, by place; `newest_first`: by time, backwards."""
        sort: list[tuple[str, Any]] = [("_id", ASCENDING)]
        if newest_first:
            sort = NEWEST_FIRST
        after, skip = "", 0
        while True:
            query = condition if newest_first else {"$and": [condition, {"_id": {"$gt": after}}]}
            async with self._in_time():
                found = await self._blocks.find(
                    query, sort=sort, limit=READ_AT_ONCE, skip=skip if newest_first else 0
                ).to_list(None)
            for document in found:
                yield block_in(document)
            if len(found) < READ_AT_ONCE:
                return
            after, skip = found[-1]["_id"], skip + READ_AT_ONCE

    async def newest_about(
        self, child_id: str, up_to: BlockPlace | None, limit: int
    ) -> list[Block]:
        """At most `limit` blocks that the index has under the child, the newest first, from the one
        at `up_to` on, which is included; None: from the newest on."""
        latest, block = (LAST_DATE, None) if up_to is None else up_to
        query: Document = {"children": child_id, "since": {"$gte": FIRST_DATE, "$lte": latest}}
        if block is not None:
            query["$or"] = [{"since": {"$lt": latest}}, {"_id": {"$lte": block}}]
        async with self._in_time():
            found = await self._blocks.find(query, sort=NEWEST_FIRST, limit=limit).to_list(None)
        return [block_in(document) for document in found]

    def segment(self, segment: str, first: int = 0) -> AsyncIterator[Block]:
        """The segment's blocks from record `first` on, in order."""
        begins = {"_id": {"$gte": place_of(segment, first), "$lt": f"{segment}@:"}}
        return self.blocks(begins)


def _of(segment: str) -> Document:
    return {"_id": {"$gt": f"{segment}@", "$lt": f"{segment}@:"}}
