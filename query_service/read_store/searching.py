"""How a search is asked of MongoDB, so that a page costs about as much as what is on it, however
many children there are and however few match.

A search gives one value, or all, for some fields of few values each, and wants the newest first.
For each combination of such values an index has its children in that order, and MongoDB merges the
orders of up to `MOST_SCANS` combinations as it reads: nothing is sorted, and hardly anything read
that is not on the page. See docs/decisions/040-searches-merge-orders.md.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import prod
from operator import itemgetter

from pymongo.errors import OperationFailure

from query_service.read_store.live_generation import reading
from query_service.read_store.mongo_queries import after_page, age_of, conditions_of
from query_service.read_store.port import VISIBLE_STATUSES, ChildFilter, PageEnd
from shared.mongo import Collection, Document, aggregate
from shared.read_models.documents import EngagementLevel, SafetyStatus
from shared.read_models.indexes import (
    BY_AGE,
    BY_NAME,
    BY_PARENT,
    BY_STATUS,
    NEWEST_FIRST,
    OPEN,
    OPEN_BY_AGE,
    OPEN_BY_NAME,
    OPEN_BY_NAME_AND_AGE,
    OPEN_BY_STATUS,
    Key,
)

MOST_SCANS = 200
"""MongoDB's own limit (internalQueryMaxScansToExplode): beyond it, it sorts all that matches."""

PROBED = 1_000
"""Of two conditions the one is rarer whose newest children, so many, reach further back in time."""

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

BAD_VALUE = 2
"""MongoDB's error code, also for a hint at an index that is not there."""


FIELDS = ("status", "safety_status", "engagement_level")
"""In the order in which the indexes have them."""


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
            asked = await searches_for(children, wanted)
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


async def searches_for(children: Collection, wanted: ChildFilter) -> list[Asked]:
    """Searches that together find what is wanted, each with its index."""
    if wanted.parent_ids:
        return [Asked(conditions_of(wanted), BY_PARENT)]
    named: list[Document] = [{"name_tokens": token} for token in wanted.name_tokens]
    if wanted.has_open_violations:
        # of several words MongoDB chooses, in a trial, the one that finds less
        orders = (OPEN_BY_NAME, OPEN_BY_NAME_AND_AGE) if named else (OPEN_BY_STATUS, OPEN_BY_AGE)
        return await _by_values(children, wanted, *orders, also=[*named, OPEN])
    if not any(_given(wanted)) and not age_of(wanted):
        return [Asked(conditions_of(wanted), BY_NAME if named else NEWEST_FIRST)]
    by_values = await _by_values(children, wanted, BY_STATUS, BY_AGE)
    if not named:
        return by_values
    words = [Asked([word], BY_NAME) for word in named]
    probes = await asyncio.gather(*(_reach(children, one) for one in (*words, *by_values)))
    rarest_word = min(probes[: len(words)])
    if rarest_word <= max(probes[len(words) :], default=LONG_AGO):
        return [Asked(conditions_of(wanted), BY_NAME)]
    return [Asked([*one.conditions, *named], one.index) for one in by_values]


async def _by_values(
    children: Collection,
    wanted: ChildFilter,
    of_any_age: Key,
    by_age: Key,
    also: Sequence[Document] = (),
) -> list[Asked]:
    """`also` with every combination of the values that are wanted. Nothing is to be searched for an
    age that no child has."""
    points = _points(wanted)
    combined = [*also, *({field: {"$in": values}} for field, values in points.items())]
    if not (age := age_of(wanted)):
        return [Asked(combined, of_any_age)]
    ages = await _ages(children, age)
    size = max(1, MOST_SCANS // prod(map(len, points.values())))
    return [
        Asked([*combined, {"age": {"$in": ages[first : first + size]}}], by_age)
        for first in range(0, len(ages), size)
    ]


async def _reach(children: Collection, asked: Asked) -> datetime:
    """How far back in time the newest `PROBED` children reach, of those that are asked for."""
    index = asked.index
    assert index is not None
    found = children.find({"$and": [*asked.conditions]}, {"_id": 0, "created_at": 1}).hint(index)
    last = await found.sort(NEWEST_FIRST).skip(PROBED).limit(1).to_list(1)
    return last[0]["created_at"] if last else LONG_AGO


def _points(wanted: ChildFilter) -> dict[str, list[str]]:
    """The values that each field of an index may have."""
    every: tuple[Iterable[StrEnum], ...] = (VISIBLE_STATUSES, SafetyStatus, EngagementLevel)
    return {
        field: [one.value for one in (every if asked is None else [asked])]
        for field, asked, every in zip(FIELDS, _given(wanted), every, strict=True)
    }


def _given(wanted: ChildFilter) -> tuple[StrEnum | None, ...]:
    return (wanted.status, wanted.safety_status, wanted.engagement_level)


async def _ages(children: Collection, age: Document) -> list[int]:
    """Those of the range that any child has: a look at the index for each."""
    stages: list[Document] = [
        {"$match": {"age": age}},
        {"$sort": {"age": 1}},
        {"$group": {"_id": "$age"}},
    ]
    return [one["_id"] async for one in aggregate(children, stages, hint=dict(BY_AGE))]
