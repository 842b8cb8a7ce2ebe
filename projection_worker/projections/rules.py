"""What every fold is given and declares, and how labels are counted."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from shared.events.child import ChildEvent
from shared.read_models.documents import OTHER, Model


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
    rule counted were reported within `window_hours`."""

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


MOST_LABELS = 100
"""How many distinct skills, or categories of violations, a document counts apart."""
MOST_TOPICS = 50
"""How many distinct topics of a conversation, or of a day."""


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
