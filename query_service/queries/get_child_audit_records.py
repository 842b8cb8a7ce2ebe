"""GetChildAuditRecords: who asked for what about a child, as the audit trail has it."""

from dataclasses import dataclass

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.cursors import Cursors
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Forbidden, Scope
from query_service.read_store.port import PageEnd
from shared.audit.block_check import Report
from shared.audit.looks import RecordPlace, looks_at
from shared.audit.port import ReadableTrail
from shared.audit.record import OPERATOR, Record
from shared.auth.access import Role

OF_STAFF = frozenset(
    {OPERATOR, *(role.value for role in (Role.SAFETY_OFFICER, Role.ANALYST, Role.ADMIN))}
)
"""Whose address is told. Anybody else may be the family: a token that was refused names no role."""


@dataclass(frozen=True, slots=True)
class GetChildAuditRecords(Query):
    child_id: str
    limit: int = 50
    cursor: str | None = None


class ShownAuditRecord(AnswerModel):
    at: Instant = Field(description="When it was asked for.")
    subject: str = Field(
        description="Who asked; of a bear, a pseudonym. Empty: the token was refused."
    )
    role: str = Field(
        description="Its role; operator: a command of an operator. Empty: the token was refused."
    )
    operation: str = Field(description="The command or query, as GetChildProfile.")
    outcome: str = Field(
        description="accepted, unchanged, replayed, answered, not-modified, begun, failed, or the "
        "code of the refusal."
    )
    address: str | None = Field(
        description="From where, of staff and operators; null for the family and its bear, whose "
        "address tells where the child is, and for a token that was refused: it may be theirs."
    )


class ChildAuditRecords(AnswerModel):
    """One page, the newest first: what was written together stays together, so that what several
    processes recorded within a second or two may stand in another order. A page may have fewer
    items than its limit."""

    child_id: str
    items: list[ShownAuditRecord]
    next_cursor: str | None
    findings: list[str] = Field(
        description="What was altered, deleted or added in the part of the trail that was read for "
        "this page; `teddy audit verify` checks all of it."
    )


@dataclass(frozen=True, slots=True)
class GetChildAuditRecordsHandler:
    """Never cached, for the look itself is a new record. It asks the trail alone: so it answers
    about an erased child too, and about an id that no child has, whatever was asked about it."""

    trail: ReadableTrail
    cursors: Cursors

    async def handle(self, query: GetChildAuditRecords, scope: Scope) -> Answer:
        """Raises RequestRefused, TrailUnreadable."""
        if scope.parent_id is not None or scope.device_id is not None:
            raise Forbidden("the trail names others than the family")
        child_id, report = query.child_id, Report()
        after = _read(self.cursors.read(query.cursor, child_id))
        looks = await looks_at(self.trail, child_id, after, query.limit, report)
        reached = looks.reached
        content = ChildAuditRecords(
            child_id=child_id,
            items=[_shown(record) for record in looks.records],
            next_cursor=None if reached is None else self.cursors.write(_end(reached), child_id),
            findings=[str(finding) for finding in report.findings],
        )
        return Answer(content, (child_id,))


def _end(place: RecordPlace) -> PageEnd:
    return PageEnd(place.since, f"{place.sequence} {place.block}")


def _read(end: PageEnd | None) -> RecordPlace | None:
    if end is None:
        return None
    sequence, _, block = end.id.partition(" ")
    return RecordPlace(end.at, block, int(sequence))


def _shown(record: Record) -> ShownAuditRecord:
    address = record["address"] if record["role"] in OF_STAFF else None
    shown = {name: record[name] for name in ("at", "subject", "role", "operation", "outcome")}
    return ShownAuditRecord.model_validate({**shown, "address": address})
