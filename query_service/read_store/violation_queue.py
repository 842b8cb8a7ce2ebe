"""Violations of all children, as those who look into them ask for them.

For each outcome and severity an index has the violations in the order of their times, and MongoDB
merges the orders of those that are asked for, as of a search: see searching.py. By severity, one
severity is asked for behind the other, for the merged order would be that of the times. So a page
costs what is on it, however many violations there are. A child's are read in the order of its own
index.
"""

from collections.abc import Sequence

from pymongo.errors import OperationFailure

from query_service.read_store.live_generation import reading
from query_service.read_store.searching import BAD_VALUE, Asked
from query_service.read_store.violation_filter import (
    QueueEnd,
    ViolationFilter,
    ViolationOrder,
    ViolationStatus,
)
from shared.events.child import Outcome, Severity
from shared.mongo import Collection, Document
from shared.read_models.indexes import BY_ASSIGNEE, BY_OUTCOME, OF_CHILD, Key

MOST_SEVERE_FIRST = tuple(sorted(Severity, key=lambda one: one.rank, reverse=True))

OLDEST_FIRST: Key = [("at", 1), ("_id", 1)]
NEWEST_FIRST: Key = [("at", -1), ("_id", -1)]
"""Either way through one index."""

OF_CHILD_OLDEST_FIRST: Key = [("at", 1), ("_id", -1)]
OF_CHILD_NEWEST_FIRST: Key = [("at", -1), ("_id", 1)]
"""As its index has them."""

_RESOLVED: list[str | None] = [outcome.value for outcome in Outcome]
_OUTCOMES = {
    ViolationStatus.OPEN: [None],
    ViolationStatus.RESOLVED: _RESOLVED,
    ViolationStatus.ALL: [None, *_RESOLVED],
}


async def violation_queue(
    violations: Collection, wanted: ViolationFilter, after: QueueEnd | None, limit: int
) -> list[Document]:
    """At most `limit` violations after `after`. Raises ReadStoreUnavailable."""
    found: list[Document] = []
    order = order_of(wanted)
    async with reading():
        for asked in queues_for(wanted, after):
            found += await _page(violations, asked, order, limit - len(found))
            if len(found) == limit:
                break
    return found


def order_of(wanted: ViolationFilter) -> Key:
    """Of each of the queues that are asked for."""
    newest_first = wanted.order is ViolationOrder.NEWEST
    if wanted.child_id is None:
        return NEWEST_FIRST if newest_first else OLDEST_FIRST
    return OF_CHILD_NEWEST_FIRST if newest_first else OF_CHILD_OLDEST_FIRST


def queues_for(wanted: ViolationFilter, after: QueueEnd | None) -> list[Asked]:
    """What is asked for one behind the other: together all that is wanted after `after`."""
    severities = MOST_SEVERE_FIRST if wanted.severity is None else (wanted.severity,)
    if wanted.order is not ViolationOrder.SEVERITY:
        return [_queue(wanted, severities, after)]
    if after is None:
        return [_queue(wanted, [one], None) for one in severities]
    return [
        _queue(wanted, [one], after if one is after.severity else None)
        for one in severities
        if one.rank <= after.severity.rank
    ]


def _queue(
    wanted: ViolationFilter, severities: Sequence[Severity], after: QueueEnd | None
) -> Asked:
    conditions: list[Document] = [
        {"outcome": {"$in": _OUTCOMES[wanted.status]}},
        {"severity": {"$in": [one.value for one in severities]}},
    ]
    index = BY_OUTCOME
    if wanted.assignee is not None:
        conditions.append({"assignee": wanted.assignee})
        index = BY_ASSIGNEE
    if wanted.child_id is not None:
        conditions.append({"child_id": wanted.child_id})
        index = OF_CHILD
    if after is not None:
        conditions.append(_beyond(after, order_of(wanted)))
    return Asked(conditions, index)


def _beyond(after: QueueEnd, order: Key) -> Document:
    """The outer bound keeps a late page as cheap as the first: the index is entered there."""
    later, behind = ("$gt" if direction == 1 else "$lt" for _, direction in order)
    tie = {"at": after.at, "_id": {behind: after.id}}
    return {"at": {f"{later}e": after.at}, "$or": [{"at": {later: after.at}}, tie]}


async def _page(violations: Collection, asked: Asked, order: Key, limit: int) -> list[Document]:
    found = violations.find({"$and": [*asked.conditions]}).sort(order).limit(limit)
    assert asked.index is not None
    try:
        return await found.clone().hint(asked.index).to_list(limit)
    except OperationFailure as error:
        if error.code != BAD_VALUE:
            raise
        return await found.to_list(limit)  # a worker that makes the indexes has yet to begin
