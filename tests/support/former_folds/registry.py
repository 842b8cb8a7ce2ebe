"""All projections, and how one event passes through them. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.events.child import (
    ChildErased,
    SafetyViolationAcknowledged,
    SafetyViolationReported,
)
from shared.read_models.documents import AlertDocument, ChildDocument, ChildStatus, Model
from tests.support.former_folds import activity, alerts, children, conversations, safety
from tests.support.former_folds.events import FormerEvent

VERSION = 6
"""Raise it with every change after which a document that older code wrote can no longer be carried
on, or would mix old and new formulas. Workers write only generations of their own version; a
rebuild makes one."""

Place = tuple[Model, str]
"""A document: its model and its `_id`."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A fold beside the child document: which document an event changes, and how. None: there is
    no such document (yet)."""

    model: Model
    key: Callable[[FormerEvent], str | None]
    evolve: Callable[[Any, FormerEvent], Any]


PROJECTIONS = (
    Projection(Model.CONVERSATIONS, conversations.key, conversations.evolve),
    Projection(Model.SAFETY, safety.key, safety.evolve),
    Projection(Model.ACTIVITY, activity.key, activity.evolve),
)


@dataclass(frozen=True, slots=True)
class ChildView:
    """The documents of one child while events are folded into them.

    `documents` holds those that were loaded or made; `changed` says which of them differ from what
    is stored. `alerts` were raised by them. `acknowledged`: which violations the parent saw,
    and when first: stored alerts may tell of them. `erased`: every stored document beside the
    child's own is to go.
    """

    child: ChildDocument | None = None
    documents: Mapping[Place, Any] = field(default_factory=dict)
    changed: frozenset[Place] = frozenset()
    alerts: tuple[AlertDocument, ...] = ()
    acknowledged: Mapping[str, datetime] = field(default_factory=dict)
    erased: bool = False

    @property
    def version(self) -> int:
        """The projected version: that the documents have reached."""
        return 0 if self.child is None else self.child["version"]


def places_of(event: FormerEvent) -> list[Place]:
    """The documents beside the child's own that `event` changes."""
    keyed = ((projection.model, projection.key(event)) for projection in PROJECTIONS)
    return [(model, key) for model, key in keyed if key is not None]


def apply(view: ChildView, event: FormerEvent, version: int, event_id: str) -> ChildView:
    """The view after `event`. Total: it takes any events in any order and raises nothing. What
    comes after an erasure moves the version on and changes nothing else."""
    child = children.evolve(view.child, event)
    child["version"] = version
    if isinstance(event, ChildErased):
        return ChildView(child=child, erased=True)
    if child["status"] == ChildStatus.ERASED.value:
        return replace(view, child=child)
    documents = dict(view.documents)
    changed = set(view.changed)
    raised = view.alerts
    if isinstance(event, SafetyViolationReported):
        before = documents.get((Model.SAFETY, event.child_id)) or safety.empty(event.child_id)
        raised += tuple(
            alerts.alert_document(alert, event, event_id, child["parent_id"])
            for alert in alerts.alerts_of(before, event)
        )
    acknowledged = view.acknowledged
    if isinstance(event, SafetyViolationAcknowledged):
        raised = tuple(alerts.acknowledged(alert, event) for alert in raised)
        acknowledged = {event.violation_id: event.at, **acknowledged}
    for projection in PROJECTIONS:
        key = projection.key(event)
        if key is None:
            continue
        place = (projection.model, key)
        document = projection.evolve(documents.get(place), event)
        if document is not None:
            documents[place] = document
            changed.add(place)
    return replace(
        view,
        child=child,
        documents=documents,
        changed=frozenset(changed),
        alerts=raised,
        acknowledged=acknowledged,
    )
