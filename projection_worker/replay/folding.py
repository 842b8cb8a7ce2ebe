"""One child's documents, folded from its events in memory."""

from collections.abc import Iterable, Mapping
from typing import Any

from projection_worker.projections.registry import ChildView, Place, apply
from projection_worker.projector import UNREADABLE
from projection_worker.sequencing import all_that_counts
from shared.codec import decode
from shared.envelope import RecordedEvent
from shared.erasures.notice import ERASED
from shared.keyring.cipher import ChildCipher
from shared.keyring.search_index import SearchIndex
from shared.read_models.models import Model


def fold(
    events: Iterable[RecordedEvent], cipher: ChildCipher | None, index: SearchIndex
) -> ChildView:
    """The view after `events`, which begin at version 1.

    Raises what decoding one may raise (`projector.UNREADABLE`); of an erased child nothing but the
    erasure has to be readable.
    """
    view = ChildView()
    counting = all_that_counts(list(events))
    ends = max((one.version for one in counting if one.type == ERASED), default=0)
    for recorded in counting:
        try:
            event = decode(recorded, cipher, index)
        except UNREADABLE:
            if recorded.version < ends:
                continue
            raise
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
