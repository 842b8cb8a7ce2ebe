"""Writes children into a new generation, folded anew behind what workers brought of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from projection_worker.projecting.decoding import UNREADABLE
from projection_worker.projecting.projector import Projector
from projection_worker.projecting.read_model_store import ReadModelStore
from projection_worker.projecting.sequencing import ChildSequence, all_that_counts
from projection_worker.projecting.writes import FoldedChild
from projection_worker.projections.registry import ChildView
from projection_worker.projections.rules import Rules
from projection_worker.replay.documents import Folded, StoredChildren, documents_of, fold
from projection_worker.replay.histories import Stream
from projection_worker.replay.verify.comparison import Documents
from shared.event_store.envelope import RecordedEvent
from shared.keyring.keyring import ChildCipher, Keyring
from shared.keyring.search_index import SearchIndex
from shared.read_models.documents import Model


@dataclass(frozen=True, slots=True)
class Written:
    """`failures`: children that could not be folded, and why. `unopened`: children of whom
    something sealed does not open, and why; they are folded, and only no search finds them."""

    failures: dict[str, str] = field(default_factory=dict)
    unopened: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: "Written") -> "Written":
        return Written(self.failures | other.failures, self.unopened | other.unopened)


class WholeChildren:
    """Every model is folded anew; what workers brought already is skipped."""

    def __init__(self, projector: Projector, read_models: ReadModelStore) -> None:
        self._projector = projector
        self._read_models = read_models

    async def write(self, batch: Sequence[Stream], shard: str) -> Written:
        """All of `batch` in one transaction, but for the failures; counters go to `shard`.

        Raises StaleBatch when a worker wrote one of the children meanwhile, or UnstorableDocument;
        then nothing was written."""
        events = {stream.child_id: all_that_counts(stream.events) for stream in batch}
        return await self.write_events(events, shard)

    async def write_events(
        self, events: Mapping[str, Sequence[RecordedEvent]], shard: str
    ) -> Written:
        """As `write`, of children whose earlier events are there. What is beyond them it leaves to
        whoever writes them."""
        there = await self._read_models.children(list(events))
        checkpoints = {child_id: child["version"] for child_id, child in there.items()}
        sequences = [
            ChildSequence(
                child_id, shard, [e for e in some if e.version > checkpoints.get(child_id, 0)]
            )
            for child_id, some in events.items()
        ]
        await self._projector.apply(sequences, there)
        return Written(
            {one.child_id: reason_of(one.failure[1]) for one in sequences if one.failure},
            {one.child_id: str(one.unopened) for one in sequences if one.unopened},
        )


def reason_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True)
class PartsOfChildren:
    """Folds `models` anew, by `rules` of the new generation, and carries the others over.

    A child goes over at the version that the live generation had at one moment: the chosen models
    are folded up to it, the others copied. A child that something happens to meanwhile is folded
    whole by the worker: what is missing in the new generation it knows only from the event store.
    """

    live: StoredChildren
    read_models: ReadModelStore
    keyring: Keyring
    index: SearchIndex
    models: frozenset[Model]
    rules: Rules

    async def write(self, batch: Sequence[Stream], shard: str) -> Written:
        """As WholeChildren.write."""
        child_ids = [stream.child_id for stream in batch]
        there = await self.read_models.children(child_ids)
        live = await self.live.of([c for c in child_ids if c not in there])
        ciphers = await self.keyring.ciphers(list(live))
        folded, written = [], Written()
        for stream in batch:
            child_id = stream.child_id
            if child_id not in live:
                continue  # the workers bring it, if they have not already
            try:
                anew = self._fold(stream, live[child_id], ciphers.get(child_id))
            except UNREADABLE as error:
                written.failures[child_id] = reason_of(error)
                continue
            if anew.unopened is not None:
                written.unopened[child_id] = str(anew.unopened)
            view = self._compose(anew.view, live[child_id])
            folded.append(FoldedChild(None, view, shard))
        if folded:
            await self.read_models.write(folded, await self.read_models.cutoff())
        return written

    def _fold(self, stream: Stream, live: Documents, cipher: ChildCipher | None) -> Folded:
        version = live[Model.CHILDREN, stream.child_id]["version"]
        events = (event for event in stream.events if event.version <= version)
        return fold(events, cipher, self.index, self.rules)

    def _compose(self, anew: ChildView, live: Documents) -> ChildView:
        chosen = {place: d for place, d in documents_of(anew).items() if place[0] in self.models}
        carried = {place: d for place, d in live.items() if place[0] not in self.models}
        documents = {**chosen, **carried}
        return ChildView(
            child=documents.pop(next(one for one in documents if one[0] is Model.CHILDREN)),
            documents={place: d for place, d in documents.items() if place[0] is not Model.ALERTS},
            changed=frozenset(place for place in documents if place[0] is not Model.ALERTS),
            alerts=tuple(d for (model, _), d in documents.items() if model is Model.ALERTS),
        )
