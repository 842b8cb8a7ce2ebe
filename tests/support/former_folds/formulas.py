"""The numbers that parents and staff see, each as the product defines it."""

from datetime import datetime

from shared.read_models.documents import ChildDocument, EngagementLevel, SafetyStatus

FULL_SCORE = 100.0


def profile_completeness(document: ChildDocument) -> float:
    """0.0 to 100.0: 80 for name, age, parent and device, 20 for what the child likes."""
    basics = (document["name"], document["age"], document["parent_id"], document["device_id"])
    tastes = (document["preferences"], document["learning_style"], document["interests"])
    share = 80 * sum(map(bool, basics)) / 4 + 20 * sum(map(bool, tastes)) / 3
    return round(share, 1)


def safety_score(penalty_points: float) -> float:
    return max(0.0, FULL_SCORE - penalty_points)


def safety_status(score: float, open_violations: int) -> SafetyStatus:
    """Never excellent while somebody still has to look at a violation."""
    if score >= 90:
        return SafetyStatus.GOOD if open_violations else SafetyStatus.EXCELLENT
    if score >= 75:
        return SafetyStatus.GOOD
    if score >= 60:
        return SafetyStatus.FAIR
    return SafetyStatus.NEEDS_ATTENTION


def engagement_level(conversation_count: int) -> EngagementLevel:
    if conversation_count == 0:
        return EngagementLevel.NEW
    if conversation_count < 5:
        return EngagementLevel.LEARNING
    if conversation_count < 20:
        return EngagementLevel.ENGAGED
    return EngagementLevel.ACTIVE


def conversation_engagement(messages: int, minutes: float) -> float:
    """0.0 to 100.0: 5 a message and 2 a minute."""
    return round(min(100.0, 5 * messages + 2 * minutes), 1)


def minutes_between(start: datetime, end: datetime) -> float:
    """Minutes to one decimal; a clock that went back counts as none."""
    return max(0.0, round((end - start).total_seconds() / 60, 1))


def counted(counts: dict[str, int], name: str) -> dict[str, int]:
    """`counts` with one more of `name`."""
    return {**counts, name: counts.get(name, 0) + 1}
