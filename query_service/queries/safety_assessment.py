"""What a child's safety violations mean: the trend, and what to do. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from query_service.queries.answers import AnswerModel
from query_service.read_store.port import ViolationCounts
from shared.clock import iso
from shared.read_models.documents import OTHER

TREND_PERIOD = timedelta(days=30)
MANY_VIOLATIONS = 5
REPEATED = 3


class SafetyTrend(StrEnum):
    IMPROVING = "improving"
    STABLE = "stable"
    DECLINING = "declining"


class Recommendation(AnswerModel):
    code: str = Field(examples=["enable-immediate-notifications"])
    text: str
    category: str | None = Field(None, description="The category that repeats itself.")


def safety_trend(recent: float, before: float) -> SafetyTrend:
    """Penalties of the 30 days up to the newest event against those of the 30 days before."""
    if recent == before:
        return SafetyTrend.STABLE
    return SafetyTrend.IMPROVING if recent < before else SafetyTrend.DECLINING


def recommendations(
    counts: ViolationCounts,
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
    if counts.total > MANY_VIOLATIONS:
        text = "Review the topics this child may talk about and the content filters."
        advice.append(Recommendation(code="review-topics-and-filters", text=text))
    if counts.told_late:
        text = "Enable immediate notifications: a violation of high severity was not told at once."
        advice.append(Recommendation(code="enable-immediate-notifications", text=text))
    advice += [_repeated(category, count) for category, count in _repeated_categories(counts)]
    if flagged_without_report:
        text = "Review the flagged content: none of it was reported as a violation."
        advice.append(Recommendation(code="review-flagged-content", text=text))
    if not advice and counts.still_open:
        text = "Look into what was reported: not all of it is resolved yet."
        advice.append(Recommendation(code="resolve-open-violations", text=text))
    if not advice:
        text = "All is well: nothing needs attention."
        advice.append(Recommendation(code="all-is-well", text=text))
    return advice


def _repeated_categories(counts: ViolationCounts) -> list[tuple[str, int]]:
    """Those that are told apart: nobody can look into OTHER."""
    by_name = counts.by_category.items()
    repeated = [(name, count) for name, count in by_name if count >= REPEATED and name != OTHER]
    return sorted(repeated, key=lambda item: (-item[1], item[0]))


def _repeated(category: str, count: int) -> Recommendation:
    text = f"Look into {category}: it was reported {count} times."
    return Recommendation(code="repeated-category", text=text, category=category)
