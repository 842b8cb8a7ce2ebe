"""What is asked of MongoDB: conditions, pages and pipelines."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime, timedelta

from query_service.read_store.family_counts import FamilyCounts
from query_service.read_store.live_generation import reading
from query_service.read_store.port import VISIBLE_STATUSES, ChildFilter, PageEnd
from shared.mongo import Collection as MongoCollection
from shared.mongo import Document
from shared.read_models.documents import ChildDocument
from shared.read_models.indexes import OPEN

VISIBLE: Document = {"status": {"$in": [status.value for status in VISIBLE_STATUSES]}}

LONGEST = timedelta(days=1)
"""That a conversation may last at all: so it covers two UTC days at most."""

MS_A_MINUTE = 60_000


async def page_of(
    collection: MongoCollection,
    conditions: Sequence[Document],
    by: str,
    after: PageEnd | None,
    limit: int,
) -> list[Document]:
    """At most `limit` documents after `after`, the newest `by` first, and then by `_id`."""
    asked = {"$and": [*conditions, *after_page(by, after)]}
    found = collection.find(asked).sort([(by, -1), ("_id", 1)])
    async with reading():
        return await found.limit(limit).to_list(limit)


def after_page(field: str, after: PageEnd | None) -> list[Document]:
    """What sorts after `after`. The outer bound keeps a late page as cheap as the first: the
    index is entered there."""
    if after is None:
        return []
    tie = {field: after.at, "_id": {"$gt": after.id}}
    return [{field: {"$lte": after.at}, "$or": [{field: {"$lt": after.at}}, tie]}]


def conditions_of(wanted: ChildFilter) -> list[Document]:
    conditions: list[Document] = [VISIBLE]
    conditions += [{"parent_id": parent_id} for parent_id in wanted.parent_ids]
    conditions += [{"name_tokens": token} for token in wanted.name_tokens]
    if age := age_of(wanted):
        conditions.append({"age": age})
    if wanted.safety_status is not None:
        conditions.append({"safety_status": wanted.safety_status.value})
    if wanted.engagement_level is not None:
        conditions.append({"engagement_level": wanted.engagement_level.value})
    if wanted.status is not None:
        conditions.append({"status": wanted.status.value})
    if wanted.has_open_violations:
        conditions.append(OPEN)
    return conditions


def age_of(wanted: ChildFilter) -> Document:
    """Empty for any age."""
    limits: Document = {"$gte": wanted.age_min, "$lte": wanted.age_max}
    return {operator: limit for operator, limit in limits.items() if limit is not None}


def family_sums(parent_id: str) -> list[Document]:
    """Of the collection of children. Reads their documents: an index that holds these fields would
    be changed by every message (docs/performance.md)."""
    summed = (one.name for one in fields(FamilyCounts) if one.name in ChildDocument.__annotations__)
    return [
        {"$match": {"parent_id": parent_id, **VISIBLE}},
        {
            "$group": {
                "_id": None,
                "children": {"$sum": 1},
                **{name: {"$sum": f"${name}"} for name in summed},
            }
        },
        {"$project": {"_id": 0}},
    ]


def open_minutes(child_id: str, since: datetime, now: datetime, limit: int) -> list[Document]:
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


def recent_conversations(
    conversations: str, child_ids: Collection[str], per_child: int
) -> list[Document]:
    """Of the collection of children: each with its latest of the collection `conversations`."""
    return [
        {"$match": {"_id": {"$in": list(child_ids)}}},
        {"$project": {"_id": 1}},
        {
            "$lookup": {
                "from": conversations,
                "localField": "_id",
                "foreignField": "child_id",
                "pipeline": [{"$sort": {"started_at": -1, "_id": 1}}, {"$limit": per_child}],
                "as": "recent",
            }
        },
    ]
