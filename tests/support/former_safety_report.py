"""How the safety report was made of one list of all violations: what today's is compared with."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from query_service.queries.safety_assessment import TREND_PERIOD, recommendations, safety_trend
from query_service.read_store.port import Period, ViolationCounts
from shared.clock import iso
from shared.events.child import Severity
from shared.read_models.documents import ViolationDocument
from shared.read_models.formulas import penalty


def former_report(
    ever: Sequence[ViolationDocument], within: Period, newest_event_at: datetime, flagged: int
) -> dict[str, Any]:
    """What of a report follows from all violations of a child; `violations` are the ids."""
    period = sorted((v for v in ever if within.includes(v["at"])), key=_newest_first)
    severe = [v for v in period if Severity(v["severity"]).rank >= Severity.HIGH.rank]
    counts = ViolationCounts(
        by_severity=Counter(violation["severity"] for violation in period),
        by_category=Counter(violation["type"] for violation in period),
        still_open=sum(violation["resolved_at"] is None for violation in period),
        told_late=sum(violation["alerted"] != "threshold" for violation in severe),
    )
    middle = newest_event_at - TREND_PERIOD
    recent = _penalties(ever, middle, newest_event_at)
    advice = recommendations(counts, flagged > 0 and not ever)
    return {
        "safety_trend": safety_trend(recent, _penalties(ever, middle - TREND_PERIOD, middle)),
        "total_violations": len(period),
        "open_violations": counts.still_open,
        "high_severity_violations": len(severe),
        "violations_by_severity": {one.value: counts.by_severity[one] for one in Severity},
        "violations_by_category": counts.by_category,
        "last_violation_at": iso(period[0]["at"]) if period else None,
        "recommendations": [one.model_dump() for one in advice],
        "violations": [violation["id"] for violation in period],
    }


def _newest_first(violation: ViolationDocument) -> tuple[float, str]:
    return -violation["at"].timestamp(), violation["id"]


def _penalties(violations: Sequence[ViolationDocument], after: datetime, up_to: datetime) -> float:
    period = (violation for violation in violations if after < violation["at"] <= up_to)
    return sum(penalty(violation["severity"], violation["outcome"]) for violation in period)
