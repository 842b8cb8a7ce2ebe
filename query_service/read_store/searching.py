"""How a search is asked of MongoDB, so that a page costs about as much as what is on it, however
many children there are and however few match.

A search gives one value, or all, for some fields of few values each, and wants the newest first.
For each combination of such values an index has its children in that order, and MongoDB merges the
orders of up to `MOST_SCANS` combinations as it reads: nothing is sorted, and hardly anything read
that is not on the page. See docs/decisions/040-searches-merge-orders.md.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from operator import itemgetter

from pymongo.errors import OperationFailure

from query_service.read_store.live_generation import reading
from query_service.read_store.mongo_queries import after_page, age_of, conditions_of
from query_service.read_store.port import VISIBLE_STATUSES, ChildFilter, PageEnd
from shared.mongo import Collection, Document, aggregate
from shared.read_models.documents import EngagementLevel, SafetyStatus
from shared.read_models.indexes import BY_AGE, BY_NAME, BY_PARENT, BY_STATUS, NEWEST_FIRST, Key

MOST_SCANS = 200
"""MongoDB's own limit (internalQueryMaxScansToExplode): beyond it, it sorts all that matches."""

FEW = 5_000
"""Children of a name that are looked at one by one. Where a name has more, enough of them meet the
other conditions of a page, unless those conditions find few by themselves."""

BAD_VALUE = 2
"""MongoDB's error code, also for a hint at an index that is not there."""


FIELDS = ("status", "safety_status", "engagement_level")
"""In the order in which BY_AGE and BY_STATUS have them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`index`: by which it is answered; None: whichever MongoDB chooses."""

    conditions: Sequence[Document]
    index: Key | None


async def search(
    children: Collection, wanted: ChildFilter, after: PageEnd | None, limit: int
) -> list[Document]:
    """At most `limit` children after `after`, the newest first. Raises ReadStoreUnavailable."""
    async with reading():
        try:
            asked = await _asked(children, wanted)
            found = await asyncio.gather(*(_page(children, one, after, limit) for one in asked))
        except OperationFailure as error:
            if error.code != BAD_VALUE:
                raise
            # a worker that makes the indexes has yet to begin
            found = [await _page(children, Asked(conditions_of(wanted), None), after, limit)]
    if len(found) == 1:
        return found[0]
    merged = sorted((one for page in found for one in page), key=itemgetter("_id"))
    return sorted(merged, key=itemgetter("created_at"), reverse=True)[:limit]


async def _page(
    children: Collection, asked: Asked, after: PageEnd | None, limit: int
) -> list[Document]:
    found = children.find({"$and": [*asked.conditions, *after_page("created_at", after)]})
    if asked.index is not None:
        found = found.hint(asked.index)
    return await found.sort(NEWEST_FIRST).limit(limit).to_list(limit)


async def _asked(children: Collection, wanted: ChildFilter) -> list[Asked]:
    """Searches that together find what is wanted, each with its index."""
    conditions = conditions_of(wanted)
    points = _points(wanted)
    if wanted.parent_ids:
        return [Asked(conditions, BY_PARENT)]
    if wanted.name_tokens and (not points or await _is_rare(children, wanted.name_tokens)):
        return [Asked(conditions, BY_NAME)]
    if not points:
        return [Asked(conditions, NEWEST_FIRST)]
    names: list[Document] = [{"name_tokens": token} for token in wanted.name_tokens]
    combined = [{field: {"$in": values}} for field, values in points.items()]
    if not (age := age_of(wanted)):
        return [Asked([*combined, *names], BY_STATUS)]
    ages = await _ages(children, age)
    size = max(1, MOST_SCANS // prod(map(len, points.values())))
    return [
        Asked([{"age": {"$in": ages[first : first + size]}}, *combined, *names], BY_AGE)
        for first in range(0, len(ages), size)
    ]


def _points(wanted: ChildFilter) -> dict[str, list[str]]:
    """The values that each field of an index may have; none where the filter names no such field."""
    given = (wanted.status, wanted.safety_status, wanted.engagement_level)
    if not any(given) and not age_of(wanted):
        return {}
    every = (VISIBLE_STATUSES, SafetyStatus, EngagementLevel)
    return {
        field: [one.value for one in (every if asked is None else [asked])]
        for field, asked, every in zip(FIELDS, given, every, strict=True)
    }


async def _is_rare(children: Collection, tokens: Sequence[str]) -> bool:
    """Whether few children have one of the name's words."""
    for token in tokens:
        found = await children.count_documents({"name_tokens": token}, limit=FEW, hint=BY_NAME)
        if found < FEW:
            return True
    return False


async def _ages(children: Collection, age: Document) -> list[int]:
    """Those of the range that any child has: a look at the index for each."""
    stages: list[Document] = [
        {"$match": {"age": age}},
        {"$sort": {"age": 1}},
        {"$group": {"_id": "$age"}},
    ]
    return [one["_id"] async for one in aggregate(children, stages, hint=dict(BY_AGE))]
