"""One child's documents, folded from its events in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from projection_worker.projections.registry import ChildView, Place, apply
from projection_worker.projector import UNREADABLE
from projection_worker.sequencing import all_that_counts
from shared.codec import decode_what_opens
from shared.envelope import RecordedEvent
from shared.erasures.notice import ERASED
from shared.keyring.cipher import ChildCipher, SealBroken
from shared.keyring.search_index import SearchIndex
from shared.read_models.models import Model

FROM_OPEN_VALUES = frozenset(
    {
        "age",
        "flagged",
        "flagged_content_count",
        "learning_metrics",
        "name_tokens",
        "notice_version",
        "profile_completeness",
        "topic",
        "topics",
        "type",
        "violation_categories",
        "violation_type",
        "violations_by_category",
    }
)
"""Fields of documents, at any depth, that are made from values which were opened: labels, and the
words of a name."""


@dataclass(frozen=True, slots=True)
class Folded:
    """`unopened`: why the first value that does not open does not; personal ones stay sealed in the
    view, and what is made of others is not to be compared (`FROM_OPEN_VALUES`)."""

    view: ChildView
    unopened: SealBroken | None


def fold(events: Iterable[RecordedEvent], cipher: ChildCipher | None, index: SearchIndex) -> Folded:
    """The view after `events`, which begin at version 1.

    Raises what decoding one may raise (`projector.UNREADABLE`); of an erased child nothing but the
    erasure has to be readable.
    """
    view, unopened = ChildView(), None
    counting = all_that_counts(list(events))
    ends = max((one.version for one in counting if one.type == ERASED), default=0)
    for recorded in counting:
        try:
            event, broken = decode_what_opens(recorded, cipher, index)
        except UNREADABLE:
            if recorded.version < ends:
                continue
            raise
        view = apply(view, event, recorded.version, recorded.event_id)
        if recorded.version >= ends:
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
