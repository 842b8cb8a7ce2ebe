"""What a child's safety violations mean: the trend, and what to do. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from query_service.queries.answers import AnswerModel
from shared.clock import iso
from shared.events.child import Severity
from shared.read_models.documents import ViolationEntry
from shared.read_models.penalties import penalty

TREND_PERIOD = timedelta(days=30)
MANY_VIOLATIONS = 5
REPEATED = 3
AT_ONCE = "threshold"
"""The rule of alerts by which a parent is notified of the violation itself."""


class SafetyTrend(StrEnum):
    IMPROVING = "improving"
    STABLE = "stable"
    DECLINING = "declining"


class Recommendation(AnswerModel):
    code: str = Field(examples=["enable-immediate-notifications"])
    text: str
    category: str | None = Field(None, description="The category that repeats itself.")


def safety_trend(violations: Sequence[ViolationEntry], newest_event_at: datetime) -> SafetyTrend:
    """Penalties of the 30 days up to the newest event against those of the 30 days before."""
    middle = newest_event_at - TREND_PERIOD
    recent = _penalties(violations, middle, newest_event_at)
    before = _penalties(violations, middle - TREND_PERIOD, middle)
    if recent == before:
        return SafetyTrend.STABLE
    return SafetyTrend.IMPROVING if recent < before else SafetyTrend.DECLINING


def is_severe(severity: str) -> bool:
    return Severity(severity).rank >= Severity.HIGH.rank


def _told_late(violation: ViolationEntry) -> bool:
    """A severe one whose report alerted nobody by itself, whatever the policy says today."""
    return is_severe(violation["severity"]) and violation.get("alerted", AT_ONCE) != AT_ONCE


def recommendations(
    violations: Sequence[ViolationEntry],
    flagged_without_report: bool,
    stale_since: datetime | None = None,
) -> list[Recommendation]:
    """In order of urgency; never empty. `stale_since`: what happened later is not known here."""
    advice = []
    if stale_since is not None:
        text = (
            f"This picture is incomplete since {iso(stale_since)}: ask an operator to redrive it."
        )
        advice.append(Recommendation(code="picture-is-incomplete", text=text))
    if len(violations) > MANY_VIOLATIONS:
        text = "Review the topics this child may talk about and the content filters."
        advice.append(Recommendation(code="review-topics-and-filters", text=text))
    if any(_told_late(violation) for violation in violations):
        text = "Enable immediate notifications: a violation of high severity was not told at once."
        advice.append(Recommendation(code="enable-immediate-notifications", text=text))
    advice += [_repeated(category, count) for category, count in _repeated_categories(violations)]
    if flagged_without_report:
        text = "Review the flagged content: none of it was reported as a violation."
        advice.append(Recommendation(code="review-flagged-content", text=text))
    if not advice and any(violation["resolved_at"] is None for violation in violations):
        text = "Look into what was reported: not all of it is resolved yet."
        advice.append(Recommendation(code="resolve-open-violations", text=text))
    if not advice:
        text = "All is well: nothing needs attention."
        advice.append(Recommendation(code="all-is-well", text=text))
    return advice


def _penalties(violations: Sequence[ViolationEntry], after: datetime, up_to: datetime) -> float:
    period = (violation for violation in violations if after < violation["at"] <= up_to)
    return sum(penalty(violation["severity"], violation["outcome"]) for violation in period)


def _repeated_categories(violations: Sequence[ViolationEntry]) -> list[tuple[str, int]]:
    counts = Counter(violation["type"] for violation in violations)
    repeated = [(category, count) for category, count in counts.items() if count >= REPEATED]
    return sorted(repeated, key=lambda item: (-item[1], item[0]))


def _repeated(category: str, count: int) -> Recommendation:
    text = f"Look into {category}: it was reported {count} times."
    return Recommendation(code="repeated-category", text=text, category=category)
