"""The queue of violations in memory: all are sorted."""

from collections.abc import Iterable
from typing import Any

from query_service.read_store.violation_filter import (
    QueueEnd,
    ViolationFilter,
    ViolationOrder,
    ViolationStatus,
)
from shared.events.child import Severity
from shared.read_models.documents import ViolationDocument


def queue_of(
    violations: Iterable[ViolationDocument],
    wanted: ViolationFilter,
    after: QueueEnd | None,
    limit: int,
) -> list[ViolationDocument]:
    found = [one for one in violations if _meets(one, wanted)]
    found.sort(key=lambda one: _place(one, wanted))
    if after is not None:
        found = [one for one in found if _place(one, wanted) > _place_of(after, wanted)]
    return found[:limit]


def _meets(violation: ViolationDocument, wanted: ViolationFilter) -> bool:
    is_open = violation["outcome"] is None
    statuses = {ViolationStatus.ALL, ViolationStatus.OPEN if is_open else ViolationStatus.RESOLVED}
    return (
        wanted.status in statuses
        and wanted.severity in (None, violation["severity"])
        and wanted.assignee in (None, violation.get("assignee"))
        and wanted.child_id in (None, violation["child_id"])
    )


def _place(violation: ViolationDocument, wanted: ViolationFilter) -> Any:
    severity = Severity(violation["severity"])
    return _place_of(QueueEnd(severity, violation["at"], violation["_id"]), wanted)


def _place_of(end: QueueEnd, wanted: ViolationFilter) -> Any:
    at, backwards = end.at.timestamp(), [-ord(letter) for letter in end.id]
    of_all = wanted.child_id is None
    match wanted.order:
        case ViolationOrder.NEWEST:
            return (-at, backwards if of_all else end.id)
        case ViolationOrder.OLDEST:
            return (at, end.id if of_all else backwards)
        case _:
            return (-end.severity.rank, at, end.id if of_all else backwards)
