"""GetSafetyViolations: the violations of all children, for those who look into them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant, StaleSince
from query_service.queries.cursors import Cursors
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import (
    Forbidden,
    Scope,
    Unopened,
    VisibleChild,
    VisibleChildren,
)
from query_service.read_store.port import PageEnd, ReadModelDatabase
from query_service.read_store.violation_filter import (
    QueueEnd,
    ViolationFilter,
    ViolationOrder,
    ViolationStatus,
)
from shared.events.child import Outcome, Severity
from shared.read_models.documents import ViolationDocument
from shared.serialization.schema import SealedField


@dataclass(frozen=True, slots=True)
class GetSafetyViolations(Query):
    """Every condition that is given must hold."""

    status: ViolationStatus = ViolationStatus.OPEN
    severity: Severity | None = None
    assignee: str | None = None
    sort: ViolationOrder = ViolationOrder.SEVERITY
    limit: int = 20
    cursor: str | None = None
    child_id: str | None = None


class QueuedViolation(AnswerModel):
    """Its age follows from `at`; it does not stand here, for it would be another one, and the
    answer's `ETag` with it, each second."""

    child_id: str
    child_name: str | None = Field(description="Null: it cannot be decrypted.")
    violation_id: str
    stale_since: StaleSince
    type: str = Field(description="Its category, as reported.")
    severity: Severity
    at: Instant
    conversation_id: str | None
    details: str | None
    acknowledged_at: Instant | None = Field(description="When the parent acknowledged it.")
    assignee: str | None = Field(description="The subject of who looks into it; null: nobody.")
    resolved_at: Instant | None
    resolved_by: str | None = Field(
        description="The subject of who resolved it; null: it is open, or was resolved before "
        "that was kept."
    )
    outcome: Outcome | None
    note: str | None = Field(
        description="Of its last resolution, also once it was reopened; null: none, or it cannot "
        "be decrypted."
    )
    reopenings: int = Field(description="How often it was reopened.")
    reopening_reason: str | None = Field(
        description="Why it was reopened the last time; null: never, or it cannot be decrypted."
    )


class SafetyViolations(AnswerModel):
    """One page. `next_cursor` is null on the last page; a page has fewer items than its limit where
    a child has just been erased."""

    items: list[QueuedViolation]
    next_cursor: str | None
    unreadable: list[str] = Field(
        description="`violation_id.field`, or `child_id.name`, of what cannot be decrypted and is "
        "null; contact an operator."
    )


@dataclass(frozen=True, slots=True)
class GetSafetyViolationsHandler:
    """Never cached: two who share a queue must not look into the same violation."""

    store: ReadModelDatabase
    children: VisibleChildren
    cursors: Cursors

    async def handle(self, query: GetSafetyViolations, scope: Scope) -> Answer:
        if scope.parent_id is not None or scope.device_id is not None:
            raise Forbidden("this list is of all children")
        wanted = ViolationFilter(
            query.status, query.severity, query.assignee, query.sort, query.child_id
        )
        after = _read(self.cursors, query.cursor, wanted)
        found = await self.store.violation_queue(wanted, after, query.limit + 1)
        page = found[: query.limit]
        is_last = len(found) <= query.limit
        documents = await self.store.children_by_id({one["child_id"] for one in page})
        children = {one.id: one for one in await self.children.open_all(documents)}
        shown = [one for one in page if one["child_id"] in children]
        unopened = Unopened()
        content = SafetyViolations(
            items=[_queued(children[one["child_id"]], one, unopened) for one in shown],
            next_cursor=None if is_last else _write(self.cursors, page, wanted),
            unreadable=unopened.places,
        )
        return Answer(content, tuple(dict.fromkeys(one["child_id"] for one in shown)))


def _write(cursors: Cursors, page: Sequence[ViolationDocument], wanted: ViolationFilter) -> str:
    last = page[-1]
    return cursors.write(PageEnd(last["at"], f"{last['severity']} {last['_id']}"), wanted)


def _read(cursors: Cursors, cursor: str | None, wanted: ViolationFilter) -> QueueEnd | None:
    """Raises RequestRefused."""
    end: PageEnd | None = cursors.read(cursor, wanted)
    if end is None:
        return None
    severity, _, identity = end.id.partition(" ")
    return QueueEnd(Severity(severity), end.at, identity)


def _queued(
    child: VisibleChild, violation: ViolationDocument, unopened: Unopened
) -> QueuedViolation:
    identity = violation["id"]
    sealed: dict[str, Any] = {**violation}

    def revealed(name: str) -> Any:
        expected = SealedField(name, identity)
        return unopened.open(child, sealed.get(name), expected, f"{identity}.{name}")

    return QueuedViolation.model_validate(
        {
            **violation,
            "child_name": unopened.reveal(child, "name", f"{child.id}.name"),
            "violation_id": identity,
            "stale_since": child.stale_since,
            "details": revealed("details"),
            "assignee": violation.get("assignee"),
            "resolved_by": violation.get("resolved_by"),
            "note": revealed("note"),
            "reopenings": violation.get("reopenings", 0),
            "reopening_reason": revealed("reason"),
        }
    )
