"""One child's documents, folded from its events in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from projection_worker.projections.registry import ChildView, Place, apply
from shared.codec import decode_what_opens
from shared.envelope import RecordedEvent
from shared.keyring.cipher import ChildCipher, SealBroken
from shared.keyring.search_index import SearchIndex
from shared.read_models.models import Model


@dataclass(frozen=True, slots=True)
class Folded:
    """`unopened`: why the first value that does not open does not; such values stay sealed in the
    view, and nothing in it was made from them."""

    view: ChildView
    unopened: SealBroken | None


def fold(events: Iterable[RecordedEvent], cipher: ChildCipher | None, index: SearchIndex) -> Folded:
    """The view after `events`, which begin at version 1.

    Raises UndecodableEvent, ValueError, KeyError or TypeError for what cannot follow.
    """
    view, unopened = ChildView(), None
    for recorded in events:
        event, broken = decode_what_opens(recorded, cipher, index)
        view = apply(view, event, recorded.version, recorded.event_id)
        unopened = unopened or broken
    return Folded(view, unopened)


def documents_of(view: ChildView) -> Mapping[Place, Any]:
    """Every document of the child, by its place."""
    documents = dict(view.documents)
    if view.child is not None:
        documents[Model.CHILDREN, view.child["_id"]] = view.child
    for alert in view.alerts:
        documents[Model.ALERTS, alert["_id"]] = alert
    return documents
