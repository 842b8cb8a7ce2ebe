"""How the safety report was made of one list of all violations: what today's is compared with."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from query_service.queries.safety_assessment import (
    MANY_VIOLATIONS,
    REPEATED,
    TREND_PERIOD,
    Recommendation,
    SafetyTrend,
)
from query_service.read_store.port import Period
from shared.clock import iso
from shared.events.child import Severity
from shared.read_models.documents import OTHER, ViolationDocument
from shared.read_models.formulas import penalty


def former_report(
    ever: Sequence[ViolationDocument],
    within: Period,
    newest_event_at: datetime,
    flagged: int,
    stale_since: datetime | None = None,
) -> dict[str, Any]:
    """What of a report follows from all violations of a child; `violations` are the ids."""
    period = sorted((v for v in ever if within.includes(v["at"])), key=_newest_first)
    by_severity = Counter(violation["severity"] for violation in period)
    advice = recommendations(period, flagged > 0 and not ever, stale_since)
    return {
        "safety_trend": safety_trend(ever, newest_event_at),
        "total_violations": len(period),
        "open_violations": sum(1 for violation in period if violation["resolved_at"] is None),
        "high_severity_violations": sum(1 for v in period if is_severe(v["severity"])),
        "violations_by_severity": {one.value: by_severity[one] for one in Severity},
        "violations_by_category": dict(Counter(violation["type"] for violation in period)),
        "last_violation_at": iso(period[0]["at"]) if period else None,
        "recommendations": [one.model_dump() for one in advice],
        "violations": [violation["id"] for violation in period],
    }


def _newest_first(violation: ViolationDocument) -> tuple[float, str]:
    return -violation["at"].timestamp(), violation["id"]


def is_severe(severity: str) -> bool:
    return Severity(severity).rank >= Severity.HIGH.rank


def safety_trend(violations: Sequence[ViolationDocument], newest_event_at: datetime) -> SafetyTrend:
    """Penalties of the 30 days up to the newest event against those of the 30 days before."""
    middle = newest_event_at - TREND_PERIOD
    recent = _penalties(violations, middle, newest_event_at)
    before = _penalties(violations, middle - TREND_PERIOD, middle)
    if recent == before:
        return SafetyTrend.STABLE
    return SafetyTrend.IMPROVING if recent < before else SafetyTrend.DECLINING


def _told_late(violation: ViolationDocument) -> bool:
    """A severe one whose report alerted nobody by itself, whatever the policy says today."""
    return is_severe(violation["severity"]) and violation["alerted"] != "threshold"


def recommendations(
    violations: Sequence[ViolationDocument],
    flagged_without_report: bool,
    stale_since: datetime | None = None,
) -> list[Recommendation]:
    """In order of urgency; never empty. `stale_since`: what happened later is not known here."""
    advice = []
    if stale_since is not None:
        text = f"This report is incomplete since {iso(stale_since)}: ask an operator to redrive it."
        advice.append(Recommendation(code="picture-is-incomplete", text=text))
    if len(violations) > MANY_VIOLATIONS:
        text = "Review the topics this child may talk about and the content filters."
        advice.append(Recommendation(code="review-topics-and-filters", text=text))
    if any(_told_late(violation) for violation in violations):
        text = "Enable immediate notifications: a severe violation raised no immediate alert."
        advice.append(Recommendation(code="enable-immediate-notifications", text=text))
    advice += [_repeated(category, count) for category, count in _repeated_categories(violations)]
    if flagged_without_report:
        text = "Review the flagged content: none of it was reported as a violation."
        advice.append(Recommendation(code="review-flagged-content", text=text))
    if not advice and any(violation["resolved_at"] is None for violation in violations):
        text = "Review the reported violations: some are not resolved yet."
        advice.append(Recommendation(code="resolve-open-violations", text=text))
    if not advice:
        text = "All is well: nothing needs attention."
        advice.append(Recommendation(code="all-is-well", text=text))
    return advice


def _penalties(violations: Sequence[ViolationDocument], after: datetime, up_to: datetime) -> float:
    period = (violation for violation in violations if after < violation["at"] <= up_to)
    return sum(penalty(violation["severity"], violation["outcome"]) for violation in period)


def _repeated_categories(violations: Sequence[ViolationDocument]) -> list[tuple[str, int]]:
    counts = Counter(violation["type"] for violation in violations)
    del counts[OTHER]  # of all that is not told apart, which the former report had no word for
    repeated = [(category, count) for category, count in counts.items() if count >= REPEATED]
    return sorted(repeated, key=lambda item: (-item[1], item[0]))


def _repeated(category: str, count: int) -> Recommendation:
    text = f"Review {category}: it was reported {count} times."
    return Recommendation(code="repeated-category", text=text, category=category)
