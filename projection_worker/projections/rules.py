"""What every fold is given, and the numbers that parents and staff see, each as the product defines
it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from projection_worker.projections.alerts import RaisedAlert
from shared.read_models.documents import OTHER, ChildDocument, EngagementLevel, SafetyStatus


@dataclass(frozen=True, slots=True)
class Rules:
    """Of one generation, from its beginning to its end. `conversation_limit`: a conversation is
    over at the latest that long after its start."""

    conversation_limit: timedelta = timedelta(hours=4)


DEFAULT_RULES = Rules()

Event = TypeVar("Event")
"""Of those that a projection folds."""


@dataclass(frozen=True, slots=True)
class Happened(Generic[Event]):
    """An event for one document. `key`: the document's id; `raised`: the alerts that the event
    raises."""

    event: Event
    key: str
    raised: tuple[RaisedAlert, ...]
    rules: Rules


FULL_SCORE = 100.0
MOST_LABELS = 100
"""How many distinct skills, or categories of violations, a document tells apart."""
MOST_TOPICS = 50
"""How many distinct topics of a conversation, or of a day."""


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


def counted(counts: dict[str, int], name: str) -> dict[str, int]:
    """`counts` with one more of `name`, of which there are only a few."""
    return {**counts, name: counts.get(name, 0) + 1}


def counted_labels(counts: dict[str, int], names: Iterable[str], most: int) -> dict[str, int]:
    """`counts` with one more of each of `names`; what is new beyond `most` counts as `other`."""
    after = {**counts}
    for name in names:
        label = name if name in after or _has_room(after, most) else OTHER
        after[label] = after.get(label, 0) + 1
    return after


def listed_label(names: list[str], name: str, most: int) -> list[str]:
    """`names` with `name`, once; what is new beyond `most` stands there as `other`."""
    label = name if name in names or _has_room(names, most) else OTHER
    return names if label in names else [*names, label]


def _has_room(labels: Collection[str], most: int) -> bool:
    return len(labels) - (OTHER in labels) < most
