"""Indexes of the read models, and the marks of dead-lettered children."""

from collections.abc import Collection as AnyCollection
from datetime import UTC, datetime

from shared.mongo import Database, Document
from shared.read_models.documents import Model
from shared.read_models.generations import Generation

Key = list[tuple[str, int]]

NEWEST_FIRST: Key = [("created_at", -1), ("_id", 1)]
BY_PARENT: Key = [("parent_id", 1), *NEWEST_FIRST]
BY_NAME: Key = [("name_tokens", 1), *NEWEST_FIRST]
_STATUSES: Key = [("status", 1), ("safety_status", 1), ("engagement_level", 1)]
BY_STATUS: Key = [*_STATUSES, *NEWEST_FIRST]
BY_AGE: Key = [("age", 1), *_STATUSES, *NEWEST_FIRST]
"""One order of the children for each combination of the values before it: a search names some
combinations, and MongoDB merges their orders (query_service/read_store/searching.py)."""

OPEN: Document = {"open_violations_count": {"$gt": 0}}
OPEN_BY_STATUS: Key = [*_STATUSES, *NEWEST_FIRST, ("age", 1)]
OPEN_BY_AGE: Key = [*_STATUSES, ("age", 1), *NEWEST_FIRST]
OPEN_BY_NAME: Key = [("name_tokens", 1), *_STATUSES, *NEWEST_FIRST]
OPEN_BY_NAME_AND_AGE: Key = [("name_tokens", 1), *_STATUSES, ("age", 1), *NEWEST_FIRST]
"""The same orders of the few children that have open violations, and of those with each word. No
two indexes of a collection have the same key: a search names its index by that."""

_COUNTED = [("severity", 1), ("outcome", 1), ("alerted", 1), ("type", 1)]
"""All that is counted of violations: whoever counts a child's reads no document, however long the
details are."""

OF_CHILD: Key = [("child_id", 1), ("at", -1), ("_id", 1), *_COUNTED]
"""A child's violations, the newest first."""

BY_OUTCOME: Key = [("outcome", 1), ("severity", 1), ("at", 1), ("_id", 1)]
BY_ASSIGNEE: Key = [("assignee", 1), *BY_OUTCOME]
"""One order of all violations for each outcome (none: it is open) and severity, of whoever or of
one assignee (query_service/read_store/violation_queue.py)."""

BY_RESOLUTION: Key = [("resolved_at", 1), ("severity", 1), ("at", 1)]
"""Of the resolved ones: how long that took is read from the index alone."""

INDEXES: dict[Model, list[Key]] = {
    Model.CHILDREN: [NEWEST_FIRST, BY_PARENT, BY_NAME, BY_STATUS, BY_AGE],
    Model.CONVERSATIONS: [[("child_id", 1), ("started_at", -1), ("_id", 1)]],
    Model.SAFETY: [[("alert_policy.channels", 1)]],
    Model.VIOLATIONS: [OF_CHILD, BY_OUTCOME],
    Model.ACTIVITY: [[("child_id", 1), ("day", 1)], [("day", 1)]],
    Model.SYSTEM: [],
    Model.ALERTS: [
        [("parent_id", 1), ("raised_at", -1), ("_id", 1)],
        [("parent_id", 1), ("acknowledged_at", 1)],
        [("event_id", 1)],
        [("child_id", 1), ("acknowledged_at", 1)],
        [("child_id", 1), ("raised_at", -1), ("_id", 1)],
        [("raised_at", 1)],
    ],
}

FORMER: dict[Model, list[Key]] = {
    Model.CHILDREN: [
        *([(field, 1), *NEWEST_FIRST] for field, _ in _STATUSES),
        [*NEWEST_FIRST, *_STATUSES, ("age", 1)],
    ],
}
"""Of earlier releases: no query uses them."""

_FEW_HAVE = {Model.ALERTS: "awaits_live"}
"""Fields that hardly any document has, by which those are found that do."""

_FEW_MEET: list[tuple[Model, Key, Document]] = [
    (Model.CHILDREN, OPEN_BY_STATUS, OPEN),
    (Model.CHILDREN, OPEN_BY_AGE, OPEN),
    (Model.CHILDREN, OPEN_BY_NAME, OPEN),
    (Model.CHILDREN, OPEN_BY_NAME_AND_AGE, OPEN),
    (Model.CONVERSATIONS, [("child_id", 1), ("started_at", 1)], {"ended_at": None}),
    (Model.VIOLATIONS, BY_ASSIGNEE, {"assignee": {"$gt": ""}}),
    (Model.VIOLATIONS, BY_RESOLUTION, {"resolved_at": {"$gt": datetime(1970, 1, 1, tzinfo=UTC)}}),
]
"""Conditions that not every document meets: children with open violations, conversations that go
on, violations that were assigned, or resolved."""


async def ensure_read_model_indexes(database: Database, generation: Generation) -> None:
    """Create what is missing, then drop what earlier releases had; repeating it changes nothing.

    MongoDB builds an index while the collection is read and written."""
    for model, keys in INDEXES.items():
        for key in keys:
            await generation.collection(database, model).create_index(key)
    for model, name in _FEW_HAVE.items():
        await generation.collection(database, model).create_index([(name, 1)], sparse=True)
    for model, key, condition in _FEW_MEET:
        await generation.collection(database, model).create_index(
            key, partialFilterExpression=condition
        )
    for model, keys in FORMER.items():
        collection = generation.collection(database, model)
        there = await collection.index_information()
        for name in (one for one, index in there.items() if index["key"] in keys):
            await collection.drop_index(name)


DEAD_LETTERED_COLLECTION = "parked_children"


def mark_id(generation: Generation, child_id: str) -> str:
    """Of each generation by itself: another one may fold what this one cannot."""
    return f"g{generation.number}/{child_id}"


def marks_of(generation: Generation) -> Document:
    """The marks of all children of a generation, as a query."""
    return {"generation": generation.number}


async def stale_since(
    database: Database, generation: Generation, child_ids: AnyCollection[str]
) -> dict[str, datetime]:
    """Those of `child_ids` that are dead-lettered, and since when."""
    wanted = {"_id": {"$in": [mark_id(generation, child_id) for child_id in child_ids]}}
    marks = await database[DEAD_LETTERED_COLLECTION].find(wanted).to_list(None)
    return {mark["child_id"]: mark["since"] for mark in marks}


async def count_dead_lettered(database: Database, generation: Generation) -> int:
    return await database[DEAD_LETTERED_COLLECTION].count_documents(marks_of(generation))
