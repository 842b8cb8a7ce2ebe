"""One child's documents, folded from its events in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from projection_worker.projections.registry import ChildView, Folding, Place
from projection_worker.projections.rules import DEFAULT_RULES, Rules
from projection_worker.projector import UNREADABLE
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


class ChildFold:
    """One child folded from its first event on, while its events come some at a time, in order.

    `ends`: the version by which the child was erased, 0 for one that is not. Of an erased child
    nothing but the erasure has to be readable.
    """

    def __init__(
        self, cipher: ChildCipher | None, index: SearchIndex, rules: Rules, ends: int = 0
    ) -> None:
        self._cipher = cipher
        self._index = index
        self._ends = ends
        self._folding = Folding(ChildView(), rules)
        self._unopened: SealBroken | None = None

    def folded(self) -> Folded:
        """What the events so far come to."""
        return Folded(self._folding.view(), self._unopened)

    def add(self, events: Iterable[RecordedEvent]) -> None:
        """Raises what decoding one may raise (`projector.UNREADABLE`); those before it are in."""
        for recorded in events:
            if 1 < recorded.version < self._ends:
                continue
            try:
                event, broken = decode_what_opens(recorded, self._cipher, self._index)
            except UNREADABLE:
                if recorded.version < self._ends:
                    continue
                raise
            self._folding.add(event, recorded.version, recorded.event_id)
            if recorded.version >= self._ends:
                self._unopened = self._unopened or broken


def fold(
    events: Iterable[RecordedEvent],
    cipher: ChildCipher | None,
    index: SearchIndex,
    rules: Rules = DEFAULT_RULES,
) -> Folded:
    """The view after `events`, which begin at version 1. Raises as `ChildFold.add` does."""
    known = list(events)
    ends = max((one.version for one in known if one.type == ERASED), default=0)
    whole = ChildFold(cipher, index, rules, ends)
    whole.add(known)
    return whole.folded()


def documents_of(view: ChildView) -> Mapping[Place, Any]:
    """Every document of the child, by its place."""
    documents = dict(view.documents)
    if view.child is not None:
        documents[Model.CHILDREN, view.child["_id"]] = view.child
    for alert in view.alerts:
        documents[Model.ALERTS, alert["_id"]] = alert
    return documents


def without_opened(documents: Mapping[Place, Any]) -> Mapping[Place, Any]:
    """Without all that is made from open values."""
    return {place: _left(one) for place, one in documents.items()}


def _left(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _left(one) for name, one in value.items() if name not in FROM_OPEN_VALUES}
    return [_left(one) for one in value] if isinstance(value, list) else value
