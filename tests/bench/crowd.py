"""Children in numbers, for searches alone: documents of the read model that MongoDB makes itself,
with the distributions of `teddy seed`, in a database of their own. Sealed fields are padding."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pymongo
import uvloop

from deploy.seed.tables import AGES, FIRST_NAMES, SECOND_NAMES, Weighted
from shared.keyring.search_index import SearchIndex
from shared.mongo import Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from shared.read_models.indexes import ensure_read_model_indexes

DATABASE, LIVE = "teddy_bench_crowd", Generation(1)
INDEX = SearchIndex(bytes(32))
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
YEAR_MS = 365 * 24 * 3_600_000
CHUNK = 1_000
SAFETY = Weighted.of(("excellent", 95.5), ("good", 2.5), ("fair", 1.2), ("needs_attention", 0.8))
ENGAGEMENT = Weighted.of(("new", 60.0), ("learning", 35.0), ("engaged", 4.0), ("active", 1.0))
OPEN_VIOLATIONS = Weighted.of((0, 99.0), (1, 0.9), (3, 0.1))
STATUS = Weighted.of(("active", 94.0), ("deactivated", 5.9), ("erased", 0.1))
SEALED = "1.name." + "x" * 1_400
"""As much as a child's sealed fields take."""


@contextmanager
def crowd(mongo: pymongo.MongoClient[dict[str, Any]], url: str, children: int) -> Iterator[None]:
    """So many children, with the indexes of the read models; gone behind the block."""
    database = mongo[DATABASE]
    mongo.drop_database(DATABASE)
    try:
        database["numbers"].insert_many([{"_id": number} for number in range(CHUNK)])
        database["numbers"].aggregate(_stages(children), allowDiskUse=True)
        uvloop.run(_indexed(url))
        yield
    finally:
        mongo.drop_database(DATABASE)


async def _indexed(url: str) -> None:
    mongo = Mongo(url)
    await ensure_read_model_indexes(mongo.database(DATABASE), LIVE)
    await mongo.close()


def _stages(children: int) -> list[dict[str, Any]]:
    random: dict[str, Any] = {f"r{number}": {"$rand": {}} for number in range(7)}
    number = {"$add": [{"$multiply": ["$part", CHUNK]}, "$_id"]}
    spread = {"$toString": {"$toLong": {"$multiply": ["$r0", 1e17]}}}
    age_ms = {"$toLong": {"$multiply": ["$r1", YEAR_MS]}}
    names = {"$setUnion": [_chosen(_tokens(table), f"$r{n}") for n, table in enumerate(NAMES, 2)]}
    document = {
        "_id": {"$concat": [spread, "-", {"$toString": number}, "-4c1d-9a5b"]},
        "parent_id": {"$concat": ["parent-", {"$toString": {"$floor": {"$divide": [number, 3]}}}]},
        "created_at": {
            "$dateSubtract": {"startDate": UNTIL, "unit": "millisecond", "amount": age_ms}
        },
        "name_tokens": names,
        "age": _chosen(AGES, "$r4"),
        "status": _chosen(STATUS, "$r5"),
        "safety_status": _chosen(SAFETY, "$r6"),
        "engagement_level": _chosen(ENGAGEMENT, "$r0"),
        "name": SEALED,
        "version": 6,
        "open_violations_count": _chosen(OPEN_VIOLATIONS, "$r1"),
    }
    return [
        {"$set": {"part": {"$range": [0, -(-children // CHUNK)]}}},
        {"$unwind": "$part"},
        {"$set": random},
        {"$project": document},
        {"$out": LIVE.collection_name(Model.CHILDREN)},
    ]


NAMES = (FIRST_NAMES, SECOND_NAMES)


def _tokens(names: Weighted[str]) -> Weighted[Sequence[str]]:
    tokens = [list(INDEX.tokens_of(name)) if name else [] for name in names.values]
    return Weighted(tokens, names.cumulated)


def _chosen(table: Weighted[Any], random: str) -> dict[str, Any]:
    """As `Weighted.chosen`, by MongoDB from a random number."""
    limits = [limit / table.cumulated[-1] for limit in table.cumulated]
    branches = [
        {"case": {"$lt": [random, limit]}, "then": value}
        for value, limit in zip(table.values, limits, strict=True)
    ]
    return {"$switch": {"branches": branches, "default": table.values[-1]}}
