"""Builds children of whom only some models are folded anew; the others stay as they are live.

A child goes over at the version that the live generation had at one moment: the chosen models are
folded up to it, the others copied. A child that something happens to meanwhile is folded whole by
the worker: what is missing in the new generation it knows only from the event store.
"""

from collections.abc import Sequence

from projection_worker.projections.registry import ChildView
from projection_worker.projections.rules import Rules
from projection_worker.projector import UNREADABLE
from projection_worker.read_model_store import ReadModelStore
from projection_worker.read_model_writes import FoldedChild
from projection_worker.replay.comparison import Documents
from projection_worker.replay.folding import Folded, documents_of, fold
from projection_worker.replay.histories import Stream
from projection_worker.replay.rebuild.whole_children import Written, told
from projection_worker.replay.stored_children import StoredChildren
from shared.keyring.cipher import ChildCipher
from shared.keyring.keyring import Keyring
from shared.keyring.search_index import SearchIndex
from shared.read_models.models import Model


class PartsOfChildren:
    """Folds `models` anew and carries the others over."""

    def __init__(
        self,
        live: StoredChildren,
        read_models: ReadModelStore,
        keyring: Keyring,
        index: SearchIndex,
        models: frozenset[Model],
        rules: Rules,
    ) -> None:
        """`rules`: those of the new generation."""
        self._live = live
        self._read_models = read_models
        self._keyring = keyring
        self._index = index
        self._models = models
        self._rules = rules

    async def write(self, batch: Sequence[Stream], shard: str) -> Written:
        child_ids = [stream.child_id for stream in batch]
        there = await self._read_models.children(child_ids)
        live = await self._live.of([c for c in child_ids if c not in there])
        ciphers = await self._keyring.ciphers(list(live))
        folded, written = [], Written()
        for stream in batch:
            child_id = stream.child_id
            if child_id not in live:
                continue  # the workers bring it, if they have not already
            try:
                anew = self._fold(stream, live[child_id], ciphers.get(child_id))
            except UNREADABLE as error:
                written.failures[child_id] = told(error)
                continue
            if anew.unopened is not None:
                written.unopened[child_id] = str(anew.unopened)
            view = self._compose(anew.view, live[child_id])
            folded.append(FoldedChild(None, view, shard))
        if folded:
            await self._read_models.write(folded)
        return written

    def _fold(self, stream: Stream, live: Documents, cipher: ChildCipher | None) -> Folded:
        version = live[Model.CHILDREN, stream.child_id]["version"]
        events = (event for event in stream.events if event.version <= version)
        return fold(events, cipher, self._index, self._rules)

    def _compose(self, anew: ChildView, live: Documents) -> ChildView:
        chosen = {place: d for place, d in documents_of(anew).items() if place[0] in self._models}
        carried = {place: d for place, d in live.items() if place[0] not in self._models}
        documents = {**chosen, **carried}
        return ChildView(
            child=documents.pop(next(one for one in documents if one[0] is Model.CHILDREN)),
            documents={place: d for place, d in documents.items() if place[0] is not Model.ALERTS},
            changed=frozenset(place for place in documents if place[0] is not Model.ALERTS),
            alerts=tuple(d for (model, _), d in documents.items() if model is Model.ALERTS),
        )
