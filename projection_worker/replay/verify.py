"""Compares every read model, field by field, with a fold of the event store, also while it moves.

A child's documents are read first, all of one moment, then its events up to the version that they
have reached: whatever a read model has seen is in the store, so nothing that is only under way is
taken for a difference. Also checks each child's hash chain and versions, that no document exists
which no event explains, and that the counters are exactly the sum over all children.
"""

import asyncio
import time
from collections.abc import Collection as AnyCollection
from collections.abc import Sequence
from typing import Any

from projection_worker.dead_letter import DeadLetters
from projection_worker.projector import UNREADABLE
from projection_worker.replay.comparison import (
    COMMITS,
    Difference,
    Documents,
    Verification,
    compare,
    digest,
)
from projection_worker.replay.counters import counters_that_differ
from projection_worker.replay.folding import FROM_OPEN_VALUES, Folded, documents_of, fold
from projection_worker.replay.histories import Stream, in_batches, streams
from projection_worker.replay.stored_children import OWNED, StoredChildren
from shared.clock import utc_now
from shared.event_store.port import EventStore
from shared.events.child import ChildErased
from shared.hash_chain import ChainBroken, verify_chain
from shared.keyring.cipher import ChildCipher
from shared.keyring.keyring import Keyring
from shared.keyring.search_index import SearchIndex
from shared.mongo import Database, Mongo
from shared.read_models.generations import Generation
from shared.read_models.horizon import Horizon, read_horizon
from shared.read_models.models import ALL_MODELS, Model

BATCH_EVENTS = 5_000
LOOK_SECONDS = 0.1
UNFOLDED = "cannot be folded"


class Verifier:
    """Of one generation; `models` are those that are compared."""

    def __init__(
        self,
        store: EventStore,
        mongo: Mongo,
        database: Database,
        generation: Generation,
        keyring: Keyring,
        index: SearchIndex,
        models: frozenset[Model] = ALL_MODELS,
    ) -> None:
        self._store = store
        self._mongo = mongo
        self._database = database
        self._generation = generation
        self._stored = StoredChildren(mongo, database, generation)
        self._keyring = keyring
        self._index = index
        self._models = models
        self._dead_letters = DeadLetters(database, utc_now, generation)

    async def verify(self, patience_seconds: float = 0.0) -> Verification:
        """All children and the totals. Children that are still behind what the store had when it
        was read, after `patience_seconds`, count as different; parked ones do so at once."""
        result = Verification()
        seen: set[str] = set()
        async for batch, _ in in_batches(streams(self._store), BATCH_EVENTS):
            seen.update(stream[0].child_id for stream in batch)
            if result.behind > result.parked:  # workers had their time
                patience_seconds = 0.0
            result.add(await self.verify_children(batch, patience_seconds))
        await self._verify_nothing_stray(seen, result)
        if Model.SYSTEM in self._models:
            await self._verify_counters(result)
        return result

    async def verify_children(
        self, batch: Sequence[Stream], patience_seconds: float = 0.0
    ) -> Verification:
        """These children alone, without totals."""
        deadline = time.monotonic() + patience_seconds
        waiting, result = batch, Verification()
        while waiting:
            patient = time.monotonic() < deadline
            late: list[Stream] = []
            for stream, one in await self._compare(waiting):
                if patient and one.behind > one.parked:
                    late.append(stream)
                else:
                    result.add(one)
            waiting = late
            if waiting:
                await asyncio.sleep(LOOK_SECONDS)
        return result

    async def _compare(self, batch: Sequence[Stream]) -> list[tuple[Stream, Verification]]:
        child_ids = [stream[0].child_id for stream in batch]
        stored = await self._stored.of(child_ids)
        # read behind the documents: whatever was purged by then lies behind it
        horizon = await read_horizon(self._database)
        ciphers = await self._keyring.ciphers(child_ids)
        compared = []
        for child_id, stream in zip(child_ids, batch, strict=True):
            documents, cipher = stored.get(child_id, {}), ciphers.get(child_id)
            one = await self._compare_child(stream, documents, cipher, horizon)
            compared.append((stream, one))
        behind = [child_id for _, one in compared for child_id in one.behind]
        parked = await self._dead_letters.parked_children(behind) if behind else set()
        for _, one in compared:
            one.parked = one.behind & parked
        return compared

    async def _compare_child(
        self, stream: Stream, stored: Documents, cipher: ChildCipher | None, horizon: Horizon
    ) -> Verification:
        child_id, last = stream[0].child_id, stream[-1].last_version
        gate = stored.get((Model.CHILDREN, child_id), {}).get("version", 0)
        erased = cipher is None
        if gate > last or (erased and not _ends_erased(stream)):
            # it moved on since the stream was read
            stream = await self._store.load(child_id)
        if erased:  # what its read models have not forgotten yet cannot be folded any more
            last = stream[-1].last_version
        result = Verification(children=1, events=gate)
        _verify_chain(stream, result)
        if gate < last:
            result.behind.add(child_id)
            result.note(Difference(child_id, Model.CHILDREN, child_id, "version", last, gate))
            if erased:
                return result
        try:
            folded = self._folded(stream, gate, cipher)
        except UNREADABLE as error:
            reason = f"{type(error).__name__}: {error}"
            result.note(Difference(child_id, COMMITS, child_id, "(events)", UNFOLDED, reason))
            return result
        expected = self._compared(documents_of(folded.view), horizon)
        found = self._compared(stored, horizon)
        if folded.unopened is not None:
            result.unopened[child_id] = str(folded.unopened)
            expected, found = without_opened(expected), without_opened(found)
        _compare_documents(child_id, expected, found, result)
        return result

    def _folded(self, stream: Stream, gate: int, cipher: ChildCipher | None) -> Folded:
        events = (event for commit in stream for event in commit.recorded_events())
        return fold((e for e in events if e.version <= gate), cipher, self._index)

    def _compared(self, documents: Documents, horizon: Horizon) -> Documents:
        """Without the models that are not asked for, and without what nobody keeps any more."""
        return {
            (model, key): one
            for (model, key), one in documents.items()
            if model in self._models and horizon.keeps(model, one)
        }

    async def _verify_nothing_stray(self, seen: AnyCollection[str], result: Verification) -> None:
        """Documents of children that the store does not know."""
        for model in self._models.intersection({Model.CHILDREN, *OWNED}):
            async for child_id in self._stored.owners(model):
                if child_id not in seen and not await self._store.load(child_id):
                    result.note(
                        Difference(child_id, model, child_id, "(document)", "absent", "present")
                    )

    async def _verify_counters(self, result: Verification) -> None:
        sums = await counters_that_differ(self._mongo, self._database, self._generation)
        result.counters = sums.names
        for name, (summed, counted) in sums.differing.items():
            result.note(Difference("", Model.SYSTEM, "(sum)", name, summed, counted))


def _compare_documents(
    child_id: str, expected: Documents, stored: Documents, result: Verification
) -> None:
    for model, _ in expected:
        result.documents[model] += 1
    result.digest = digest(stored)
    if result.digest != digest(expected):
        for difference in compare(child_id, expected, stored):
            result.note(difference)


def without_opened(documents: Documents) -> Documents:
    """Without all that is made from open values."""
    return {place: _left(one) for place, one in documents.items()}


def _left(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _left(one) for name, one in value.items() if name not in FROM_OPEN_VALUES}
    return [_left(one) for one in value] if isinstance(value, list) else value


def _ends_erased(stream: Stream) -> bool:
    return stream[-1].events[-1].type == ChildErased.__name__


def _verify_chain(stream: Stream, result: Verification) -> None:
    child_id = stream[0].child_id
    try:
        verify_chain(stream)
    except ChainBroken as broken:
        result.note(Difference(child_id, COMMITS, child_id, "hash", broken.reason, broken.version))
