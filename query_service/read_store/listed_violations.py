"""A child's violations in memory.

So read models of projections before 7 hold them, all in the child's safety document: as long as
such a generation is live, they are read from there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from query_service.read_store.port import (
    AT_ONCE,
    SEVERE,
    Period,
    Place,
    ViolationCounts,
)
from shared.read_models.documents import OTHER, SafetyDocument, ViolationDocument, ViolationEntry
from shared.read_models.penalties import penalty


class ListedViolations:
    """All of them, in any order."""

    def __init__(self, violations: Iterable[ViolationDocument]) -> None:
        self._newest_first = sorted(violations, key=_rank_of)

    async def page(
        self, period: Period, after: Place | None, limit: int
    ) -> Sequence[ViolationDocument]:
        found = [one for one in self._newest_first if period.includes(one["at"])]
        if after is not None:
            found = [one for one in found if _rank_of(one) > _rank(after.at, after.id)]
        return found[:limit]

    async def count(self, period: Period, categories: Collection[str]) -> ViolationCounts:
        return counts_of((v for v in self._newest_first if period.includes(v["at"])), categories)

    async def cost(self, after: datetime, up_to: datetime) -> float:
        found = (one for one in self._newest_first if after < one["at"] <= up_to)
        return sum(penalty(one["severity"], one["outcome"]) for one in found)


def counts_of(
    violations: Iterable[ViolationDocument], categories: Collection[str]
) -> ViolationCounts:
    """As `Violations.count`, of all these."""
    counted = list(violations)
    late = (v for v in counted if v["severity"] in SEVERE and v["alerted"] != AT_ONCE)
    return ViolationCounts(
        Counter(one["severity"] for one in counted),
        Counter(one["type"] if one["type"] in categories else OTHER for one in counted),
        sum(1 for one in counted if one["resolved_at"] is None),
        sum(1 for _ in late),
    )


def listed_in(safety: SafetyDocument | None) -> list[ViolationDocument]:
    """The violations that stand in a safety document, as documents of their own."""
    entries = safety.get("violations", []) if safety else []
    return [] if safety is None else [_document(safety["_id"], entry) for entry in entries]


def _document(child_id: str, entry: ViolationEntry) -> ViolationDocument:
    """What the oldest ones do not know was alerted at once and not acknowledged."""
    return ViolationDocument(
        _id=f"{child_id}/{entry['id']}",
        child_id=child_id,
        id=entry["id"],
        type=entry["type"],
        severity=entry["severity"],
        at=entry["at"],
        conversation_id=entry["conversation_id"],
        details=entry["details"],
        resolved_at=entry["resolved_at"],
        outcome=entry["outcome"],
        alerted=entry.get("alerted", AT_ONCE),
        acknowledged_at=entry.get("acknowledged_at"),
    )


def _rank_of(violation: ViolationDocument) -> tuple[float, str]:
    return _rank(violation["at"], violation["_id"])


def _rank(at: datetime, identity: str) -> tuple[float, str]:
    return -at.timestamp(), identity
