"""One child's documents, folded from its events in memory."""

from collections.abc import Iterable, Mapping
from typing import Any

from projection_worker.projections.registry import ChildView, Place, apply
from shared.codec import decode
from shared.envelope import RecordedEvent
from shared.keyring.cipher import ChildCipher
from shared.keyring.search_index import SearchIndex
from shared.read_models.models import Model


def fold(
    events: Iterable[RecordedEvent], cipher: ChildCipher | None, index: SearchIndex
) -> ChildView:
    """The view after `events`, which begin at version 1.

    Raises UndecodableEvent, SealBroken, ValueError, KeyError or TypeError for what cannot follow.
    """
    view = ChildView()
    for recorded in events:
        event = decode(recorded, cipher, index)
        view = apply(view, event, recorded.version, recorded.event_id)
    return view


def documents_of(view: ChildView) -> Mapping[Place, Any]:
    """Every document of the child, by its place."""
    documents = dict(view.documents)
    if view.child is not None:
        documents[Model.CHILDREN, view.child["_id"]] = view.child
    for alert in view.alerts:
        documents[Model.ALERTS, alert["_id"]] = alert
    return documents
