"""Conversations and days of activity from MongoDB."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

from query_service.read_store.live_generation import READ_SECONDS
from query_service.read_store.mongo_reads import MongoReads
from query_service.read_store.port import Place, ReadStoreUnavailable
from shared.event_store.driver_errors import within
from shared.mongo import Document, aggregate
from shared.read_models.documents import ActivityDocument, ConversationDocument
from shared.read_models.models import Model

LONGEST = timedelta(days=1)
"""That a conversation may last at all: so it covers two UTC days at most."""

MS_A_MINUTE = 60_000


class ConversationsInMongo(MongoReads):
    async def conversations_page(
        self, child_id: str, after: Place | None, limit: int
    ) -> Sequence[ConversationDocument]:
        of_child: list[Document] = [{"child_id": child_id}]
        found = await self._page(Model.CONVERSATIONS, of_child, "started_at", after, limit)
        return cast(list[ConversationDocument], found)

    async def recent_conversations(
        self, child_ids: Collection[str], per_child: int
    ) -> dict[str, list[ConversationDocument]]:
        generation = await self._live.current()
        pipeline: list[Document] = [
            {"$match": {"_id": {"$in": list(child_ids)}}},
            {"$project": {"_id": 1}},
            {
                "$lookup": {
                    "from": generation.collection_name(Model.CONVERSATIONS),
                    "localField": "_id",
                    "foreignField": "child_id",
                    "pipeline": [
                        {"$sort": {"started_at": -1, "_id": 1}},
                        {"$limit": per_child},
                    ],
                    "as": "recent",
                }
            },
        ]
        children = generation.collection(self._database, Model.CHILDREN)
        found: dict[str, list[ConversationDocument]] = {child_id: [] for child_id in child_ids}
        async with within(READ_SECONDS, ReadStoreUnavailable):
            async for child in aggregate(children, pipeline):
                found[child["_id"]] = child["recent"]
        return found

    async def activity(
        self, child_id: str, first_day: str, last_day: str
    ) -> list[ActivityDocument]:
        collection = await self._collection(Model.ACTIVITY)
        wanted = {"child_id": child_id, "day": {"$gte": first_day, "$lte": last_day}}
        async with within(READ_SECONDS, ReadStoreUnavailable):
            found = await collection.find(wanted).sort("day", 1).to_list(None)
        return cast(list[ActivityDocument], found)

    async def open_minutes(
        self, child_id: str, since: datetime, now: datetime
    ) -> Mapping[str, float]:
        live = await self._live.kept()
        conversations = live.generation.collection(self._database, Model.CONVERSATIONS)
        pipeline = _open_minutes(child_id, since, now, live.conversation_limit_minutes)
        minutes: dict[str, float] = {}
        async with within(READ_SECONDS, ReadStoreUnavailable):
            async for one in aggregate(conversations, pipeline):
                next_day: datetime = one["_id"]
                for day, ms in ((next_day - LONGEST, one["first"]), (next_day, one["second"])):
                    if ms:
                        name = day.date().isoformat()
                        minutes[name] = minutes.get(name, 0.0) + ms / MS_A_MINUTE
        return minutes

    async def conversation_limit(self) -> timedelta:
        return (await self._live.kept()).conversation_limit


def _open_minutes(child_id: str, since: datetime, now: datetime, limit: int) -> list[Document]:
    """By the midnight after their start: how long they lasted before it and after it, in ms."""
    midnight = {
        "$dateAdd": {
            "startDate": {"$dateTrunc": {"date": "$started_at", "unit": "day"}},
            "unit": "day",
            "amount": 1,
        }
    }
    end = {"$min": [now, {"$add": ["$started_at", limit * MS_A_MINUTE]}]}
    first = {"$subtract": [{"$min": ["$end", "$midnight"]}, "$started_at"]}
    second = {"$max": [0, {"$subtract": ["$end", "$midnight"]}]}
    in_time = {"$gte": since - LONGEST, "$lte": now}
    return [
        {"$match": {"child_id": child_id, "ended_at": None, "started_at": in_time}},
        {"$project": {"_id": 0, "started_at": 1, "end": end, "midnight": midnight}},
        {"$group": {"_id": "$midnight", "first": {"$sum": first}, "second": {"$sum": second}}},
    ]
