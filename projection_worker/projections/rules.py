"""What every fold is given and declares; and the numbers that parents and staff see, each as the
product defines it, with what each child adds to the counters of the whole system."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from shared.events.child import ChildEvent
from shared.read_models.documents import (
    OTHER,
    ChildDocument,
    ChildStatus,
    EngagementLevel,
    Model,
    SafetyStatus,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Of one generation, from its beginning to its end. `conversation_limit`: a conversation is
    over at the latest that long after its start."""

    conversation_limit: timedelta = timedelta(hours=4)


DEFAULT_RULES = Rules()

Event = TypeVar("Event")
"""Of those that a projection folds."""


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """`threshold`: the violation is at least as severe as the policy's threshold. `count`: with it,
    `count` milder violations (medium or above, below the threshold) that no earlier alert of this
    rule counted were reported within `window_hours`.
    """

    rule: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Happened(Generic[Event]):
    """An event for one document. `key`: the document's id; `raised`: the alerts that the event
    raises."""

    event: Event
    key: str
    raised: tuple[RaisedAlert, ...]
    rules: Rules


@dataclass(frozen=True, slots=True)
class Projection:
    """A fold beside the child document: the types of the events that it folds, which documents one
    of them changes, and how it changes each. None: there is no such document (yet)."""

    model: Model
    folds: tuple[type[ChildEvent], ...]
    keys: Callable[[Any, Rules], tuple[str, ...]]
    evolve: Callable[[Any, Happened[Any]], Any]


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


def contribution(document: ChildDocument | None) -> Counter[str]:
    """What one child counts for. The system's counters are the sum over all children."""
    if document is None:
        return Counter()
    status = document["status"]
    counts = Counter({f"children_{status}": 1})
    if status == ChildStatus.ERASED:
        return counts
    counts["conversations"] = document["conversation_count"]
    counts["messages"] = document["total_messages"]
    counts["violations"] = document["safety_violations_count"]
    counts["open_violations"] = document["open_violations_count"]
    counts["flagged"] = document["flagged_content_count"]
    if status == ChildStatus.ACTIVE:
        counts[f"safety_{document['safety_status']}"] = 1
        counts[f"engagement_{document['engagement_level']}"] = 1
    return counts


def change(before: ChildDocument | None, after: ChildDocument) -> Mapping[str, int]:
    """How the counters move when a child's document goes from `before` to `after`."""
    moved = contribution(after)
    moved.subtract(contribution(before))
    return {name: count for name, count in moved.items() if count}
