"""Batch in, read models out. Knows nothing of Kafka: any transport may hand it records.

For each child, in order: skip what its checkpoint has seen, refill gaps from the event store, fold
the rest. Everything a batch changes is written in one transaction, conditional on the checkpoints
it was computed from; children that it erases follow in one of their own. Running a batch again
changes nothing."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Any

import structlog

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.decoding import Decoded, Decoder, EventSource, KeyPatience
from projection_worker.projecting.read_model_store import ReadModelStore, StaleBatch
from projection_worker.projecting.removal import Erasure
from projection_worker.projecting.sequencing import ChildSequence, sequence
from projection_worker.projecting.unstorable import UnstorableDocument
from projection_worker.projecting.writes import FoldedChild
from projection_worker.projections.registry import ChildView, Folding, Place, places_of
from projection_worker.projections.rules import DEFAULT_RULES, Rules
from projection_worker.records import DeadLettered, Delivered, dead_letter
from shared.events.child import ERASED, SafetyViolationReported
from shared.read_models.documents import AlertDocument, ChildDocument, Model
from shared.read_models.notices import ChangeNotice

log = structlog.get_logger(__name__)

ATTEMPTS = 10
REPORT = SafetyViolationReported.__name__


@dataclass(frozen=True, slots=True)
class Projected:
    """What a batch came to: notices and alerts to publish, records to dead-letter, events applied,
    children erased (also those that were erased before: what follows is done again). `waiting` are
    records of children of whom only a part of what is missing was folded: they are to come again,
    in this order, until there are none."""

    notices: tuple[ChangeNotice, ...] = ()
    alerts: tuple[AlertDocument, ...] = ()
    dead_lettered: tuple[DeadLettered, ...] = ()
    applied: int = 0
    erasures: tuple[Erasure, ...] = ()
    waiting: tuple[Delivered, ...] = ()

    def __add__(self, other: "Projected") -> "Projected":
        return Projected(
            self.notices + other.notices,
            self.alerts + other.alerts,
            self.dead_lettered + other.dead_lettered,
            self.applied + other.applied,
            self.erasures + other.erasures,
            self.waiting + other.waiting,
        )


@dataclass(slots=True, eq=False)
class Projector:
    """`rules`: those of the generation. `takes_sealed`, `patience`: as of Decoder."""

    read_models: ReadModelStore
    source: EventSource
    dead_letters: DeadLetters
    _: KW_ONLY
    rules: Rules = DEFAULT_RULES
    takes_sealed: InitVar[bool] = False
    patience: InitVar[KeyPatience | None] = None
    decoder: Decoder = field(init=False)

    def __post_init__(self, takes_sealed: bool, patience: KeyPatience | None) -> None:
        self.decoder = Decoder(self.source, patience, takes_sealed=takes_sealed)

    async def project(self, batch: Sequence[Delivered]) -> Projected:
        """Apply `batch`. What raises is the store's state, not the batch's: try again later."""
        by_child: dict[str, list[Delivered]] = defaultdict(list)
        for delivered in batch:
            by_child[delivered.child_id].append(delivered)
        projected = await self._project_isolating(by_child)
        if projected.dead_lettered:
            await self.dead_letters.keep(projected.dead_lettered)
        return projected

    async def _project_isolating(self, by_child: Mapping[str, list[Delivered]]) -> Projected:
        """Project together; when a document cannot be stored, find its child by halving. Only what
        was tried alone is dead-lettered."""
        try:
            return await self._project_children(by_child)
        except UnstorableDocument as error:
            if len(by_child) == 1:
                return await self._dead_letter_whole(by_child, error)
        children = list(by_child)
        first, second = children[: len(children) // 2], children[len(children) // 2 :]
        return await self._project_isolating(
            {c: by_child[c] for c in first}
        ) + await self._project_isolating({c: by_child[c] for c in second})

    async def _dead_letter_whole(
        self, by_child: Mapping[str, list[Delivered]], error: Exception
    ) -> Projected:
        before = await self.read_models.children(by_child)
        return Projected(
            notices=tuple(change_notice(child, marked=True) for child in before.values()),
            dead_lettered=tuple(
                dead_letter(one, error) for records in by_child.values() for one in records
            ),
        )

    async def _project_children(self, by_child: Mapping[str, list[Delivered]]) -> Projected:
        for _ in range(ATTEMPTS):
            try:
                return await self._attempt(by_child)
            except StaleBatch as reason:
                log.info("batch_stale", reason=str(reason))
        raise StaleBatch(f"{ATTEMPTS} attempts conflicted with other workers' writes")

    async def _attempt(self, by_child: Mapping[str, list[Delivered]]) -> Projected:
        before, behind = await asyncio.gather(
            self.read_models.children(by_child), self.read_models.dead_lettered(by_child)
        )
        versions = {child_id: child["version"] for child_id, child in before.items()}
        sequences = await asyncio.gather(
            *(
                sequence(
                    child_id,
                    records,
                    versions.get(child_id, 0),
                    self.source.store,
                    behind_dead_lettered=child_id in behind,
                )
                for child_id, records in by_child.items()
            )
        )
        return await self.apply(sequences, before)

    async def apply(
        self, sequences: Sequence[ChildSequence], before: Mapping[str, ChildDocument]
    ) -> Projected:
        """Fold the fresh events of `sequences` onto the children `before`, and write it.

        Raises StaleBatch when a checkpoint moved meanwhile; then nothing was written."""
        events = await self.decoder.decode(sequences)
        # a child's other documents are made together with its own or later
        places = {
            place
            for recorded, event in events.values()
            if recorded.child_id in before
            for place in places_of(event, self.rules)
        }
        found, cutoff = await asyncio.gather(
            self.read_models.documents(places), self.read_models.cutoff()
        )
        documents = _by_child(found)
        folded = [
            _fold(
                one, before.get(one.child_id), documents.get(one.child_id, {}), events, self.rules
            )
            for one in sequences
        ]
        changed = [one for one in folded if one.view.child is not one.before]
        removed = await self.read_models.write(changed, cutoff) if changed else {}
        return await self._outcome(sequences, folded, removed)

    async def _outcome(
        self,
        sequences: Sequence[ChildSequence],
        folded: Sequence[FoldedChild],
        removed: Mapping[str, int],
    ) -> Projected:
        """Notices also for what the checkpoint skipped: a crash before publishing loses none."""
        skipped = [e.event_id for one in sequences for e in one.skipped if e.type == REPORT]
        again = await self.read_models.alerts.not_begun(skipped) if skipped else []
        raised = [alert for one in folded for alert in one.view.alerts]
        if raised:
            raised = await self.read_models.alerts.not_notified(raised)
        stuck = {one.child_id for one in sequences if one.dead_lettered}
        notices = [
            change_notice(child, marked=child["_id"] in stuck)
            for child in (one.view.child for one in folded)
            if child is not None
        ]
        dead_lettered = [dead_lettered for one in sequences for dead_lettered in one.dead_lettered]
        applied = sum(len(one.fresh) for one in sequences)
        erasures = tuple(
            Erasure(event.child_id, event.version, removed.get(event.child_id, 0))
            for one in sequences
            for event in (*one.fresh, *one.skipped)
            if event.type == ERASED
        )
        for erasure in erasures:
            self.source.keyring.forget(erasure.child_id)
        waiting = tuple(one for each in sequences for one in each.waiting)
        return Projected(
            tuple(notices), (*again, *raised), tuple(dead_lettered), applied, erasures, waiting
        )


def _fold(
    one: ChildSequence,
    before: ChildDocument | None,
    documents: Mapping[Place, Any],
    events: Mapping[str, Decoded],
    rules: Rules,
) -> FoldedChild:
    """Fold one child's fresh events. Folds take everything: one that raises is a defect, and is
    dead-lettered for its child alone, so that it does not stop all others."""
    folding = Folding(ChildView(child=before, documents=documents), rules)
    for recorded in one.fresh:
        event_id = recorded.event_id
        if event_id not in events:
            continue
        try:
            folding.add(events[event_id][1], recorded.version, event_id)
        except Exception as error:  # noqa: BLE001 - whatever a defect raises
            one.dead_letter_from(recorded.version, error)
            break
    return FoldedChild(before, folding.view(), one.shard, documents)


def _by_child(documents: Mapping[Place, Any]) -> dict[str, dict[Place, Any]]:
    grouped: dict[str, dict[Place, Any]] = defaultdict(dict)
    for place, document in documents.items():
        child_id = document["_id"] if place[0] is Model.SAFETY else document["child_id"]
        grouped[child_id][place] = document
    return grouped


def change_notice(child: ChildDocument, *, marked: bool) -> ChangeNotice:
    return ChangeNotice(child["_id"], child["parent_id"], child["version"], marked)
