"""All projections, how events pass through them, and what each child adds to the counters of the
whole system. Pure: a `Folding` is changed by its owner alone, a `ChildView` by nobody."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from projection_worker.projections import children, safety
from projection_worker.projections.conversations import ACTIVITY, CONVERSATIONS
from projection_worker.projections.rules import DEFAULT_RULES, Happened, RaisedAlert, Rules
from projection_worker.projections.safety import SAFETY, VIOLATIONS
from shared.events.child import (
    ChildErased,
    ChildEvent,
    SafetyViolationAcknowledged,
    SafetyViolationReported,
)
from shared.read_models.documents import AlertDocument, ChildDocument, ChildStatus, Model

VERSION = 7
"""Raise it with every change after which a document that older code wrote can no longer be carried
on, or would mix old and new formulas. Workers write only generations of their own version; a
rebuild makes one."""

Place = tuple[Model, str]
"""A document: its model and its `_id`."""


PROJECTIONS = (CONVERSATIONS, SAFETY, VIOLATIONS, ACTIVITY)

IGNORED: Mapping[type[ChildEvent], str] = {}
"""Events of which no read model shows more than that something happened to the child: why not."""

_FOLDING = {
    event: tuple(one for one in PROJECTIONS if event in one.folds) for event in get_args(ChildEvent)
}


@dataclass(frozen=True, slots=True)
class ChildView:
    """The documents of one child while events are folded into them.

    `documents` holds those that were loaded or made; `changed` says which of them differ from what
    is stored. `alerts` were raised by them. `acknowledged`: which violations the parent has seen,
    and when first: stored alerts may be about them. `erased`: every stored document beside the
    child's own is to go."""

    child: ChildDocument | None = None
    documents: Mapping[Place, Any] = field(default_factory=dict)
    changed: frozenset[Place] = frozenset()
    alerts: tuple[AlertDocument, ...] = ()
    acknowledged: Mapping[str, datetime] = field(default_factory=dict)
    erased: bool = False

    @property
    def version(self) -> int:
        """The checkpoint: the version that the documents have reached."""
        return 0 if self.child is None else self.child["version"]


class Folding:
    """One child's documents while events are folded into them, each event in the same time however
    much happened before. Total: it takes any events in any order and raises nothing."""

    def __init__(self, view: ChildView, rules: Rules) -> None:
        self._rules = rules
        self._child = view.child
        self._documents = dict(view.documents)
        self._changed = set(view.changed)
        self._alerts = list(view.alerts)
        self._acknowledged = dict(view.acknowledged)
        self._erased = view.erased
        # where in `_alerts` those stand that are about a violation which the parent has not seen
        self._unseen: dict[str, list[int]] = defaultdict(list)
        for number, alert in enumerate(self._alerts):
            self._unseen[alert["violation_id"]].append(number)

    def add(self, event: ChildEvent, version: int, event_id: str) -> None:
        """What comes after an erasure moves the version on and changes nothing else. If a fold has
        a defect and raises, nothing of the event was folded."""
        child = children.evolve(self._child, event, self._rules)
        child["version"] = version
        if isinstance(event, ChildErased):
            self._forget()
        elif child["status"] != ChildStatus.ERASED.value:
            self._add_beside(child, event, event_id)
        self._child = child

    def view(self) -> ChildView:
        """What has become of the documents so far; copies all containers."""
        return ChildView(
            child=self._child,
            documents=dict(self._documents),
            changed=frozenset(self._changed),
            alerts=tuple(self._alerts),
            acknowledged=dict(self._acknowledged),
            erased=self._erased,
        )

    def _add_beside(self, child: ChildDocument, event: ChildEvent, event_id: str) -> None:
        raised: tuple[RaisedAlert, ...] = ()
        if isinstance(event, SafetyViolationReported):
            before = self._documents.get((Model.SAFETY, event.child_id))
            raised = safety.alerts_of(before or safety.empty_safety(event.child_id), event)
        for place, document in self._evolved(event, raised):
            self._documents[place] = document
            self._changed.add(place)
        if isinstance(event, SafetyViolationReported):
            for alert in raised:
                self._unseen[event.violation_id].append(len(self._alerts))
                parent_id = child["parent_id"]
                self._alerts.append(safety.alert_document(alert, event, event_id, parent_id))
        elif isinstance(event, SafetyViolationAcknowledged):
            for number in self._unseen.pop(event.violation_id, ()):
                self._alerts[number] = safety.acknowledged(self._alerts[number], event)
            self._acknowledged.setdefault(event.violation_id, event.at)

    def _evolved(
        self, event: ChildEvent, raised: tuple[RaisedAlert, ...]
    ) -> list[tuple[Place, Any]]:
        """The documents that differ after `event`."""
        evolved: list[tuple[Place, Any]] = []
        for projection in _FOLDING[type(event)]:
            for key in projection.keys(event, self._rules):
                place = (projection.model, key)
                before = self._documents.get(place)
                after = projection.evolve(before, Happened(event, key, raised, self._rules))
                if after is not before:
                    evolved.append((place, after))
        return evolved

    def _forget(self) -> None:
        self._documents.clear()
        self._changed.clear()
        self._alerts.clear()
        self._acknowledged.clear()
        self._unseen.clear()
        self._erased = True


def places_of(event: ChildEvent, rules: Rules = DEFAULT_RULES) -> list[Place]:
    """The documents beside the child's own that `event` changes."""
    return [(one.model, key) for one in _FOLDING[type(event)] for key in one.keys(event, rules)]


def apply_all(
    view: ChildView, events: Iterable[tuple[ChildEvent, int, str]], rules: Rules = DEFAULT_RULES
) -> ChildView:
    """The view after `events`, each with its version and its id. Takes time in proportion to their
    number: what is in the view is copied once."""
    folding = Folding(view, rules)
    for event, version, event_id in events:
        folding.add(event, version, event_id)
    return folding.view()


def apply(
    view: ChildView, event: ChildEvent, version: int, event_id: str, rules: Rules = DEFAULT_RULES
) -> ChildView:
    return apply_all(view, [(event, version, event_id)], rules)


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
