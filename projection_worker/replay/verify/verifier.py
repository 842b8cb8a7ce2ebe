"""Compares every read model, field by field, with a fold of the event store, also while it moves.

A child's documents are read first, all of one moment, then its events up to the version that they
have reached: whatever a read model has seen is in the store, so nothing that is only under way is
taken for a difference. Also checks each child's hash chain and versions, that no document exists
which no event explains, and that the counters are exactly the sum over all children."""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from projection_worker.projecting.decoding import UNREADABLE, EventSource
from projection_worker.projecting.generations import rules_of
from projection_worker.projecting.removal import OF_A_CHILD
from projection_worker.projections.rules import Rules
from projection_worker.replay.documents import StoredChildren, documents_of, fold, without_opened
from projection_worker.replay.histories import Stream, in_batches, streams
from projection_worker.replay.verify.comparison import (
    Difference,
    Documents,
    Scope,
    Verification,
    behind,
    broken_chain,
    compare,
    compared_counters,
    digest,
    unfolded,
)
from projection_worker.replay.verify.long_children import LOOK_SECONDS, LongChildren, Seen
from projection_worker.session import Stores
from shared.event_store.envelope import ChainBroken, verify_chain
from shared.event_store.port import pages
from shared.events.child import ERASED
from shared.keyring.keyring import ChildCipher
from shared.mongo import Database, Mongo
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import Generation, read_cutoff

BATCH_EVENTS = 5_000


async def ignore(_: int) -> None:
    """Where nobody wants to know how many events were read."""


@dataclass(slots=True, eq=False)
class Verifier:
    """Of one generation; `models` are those that are compared. `rules`: of the fold that they are
    compared with, if not those of the generation."""

    source: EventSource
    mongo: Mongo
    database: Database
    generation: Generation
    models: frozenset[Model] = ALL_MODELS
    rules: Rules | None = None
    stored: StoredChildren = field(init=False)

    def __post_init__(self) -> None:
        self.stored = StoredChildren(self.mongo, self.database, self.generation)

    async def events(self) -> int:
        """About how many events there are to compare: those that the documents have seen."""
        return await self.stored.events()

    async def verify(self, patience_seconds: float = 0.0, seen: Seen = ignore) -> Verification:
        """All children and the totals. Children that are still behind what the store had when it
        was read, after `patience_seconds`, count as different; dead-lettered ones do so at once."""
        result = Verification()
        known: set[str] = set()
        async for batch, _ in in_batches(streams(self.source.store), BATCH_EVENTS):
            known.update(stream.child_id for stream in batch)
            if result.behind > result.dead_lettered:  # workers had their time
                patience_seconds = 0.0
            result.add(await self.verify_children(batch, patience_seconds, seen))
        await self._verify_nothing_stray(known, result)
        if Model.SYSTEM in self.models:
            counters = await compared_counters(self.mongo, self.database, self.generation)
            result.counters = len(counters)
            for name, (summed, counted) in counters.items():
                if summed != counted:
                    result.note(Difference("", Model.SYSTEM, "(sum)", name, summed, counted))
        return result

    async def verify_children(
        self, batch: Sequence[Stream], patience_seconds: float = 0.0, seen: Seen = ignore
    ) -> Verification:
        """These children alone, without totals. `seen` takes every event that is read."""
        deadline = time.monotonic() + patience_seconds
        long = LongChildren(self.source, self.stored, self.database, self.models)
        rules = self.rules or await rules_of(self.database, self.generation)
        result = Verification()
        for stream in batch:
            if not stream.is_whole:
                result.add(await long.compare(stream.child_id, rules, deadline, seen))
        waiting = [stream for stream in batch if stream.is_whole]
        await seen(sum(stream.last_version for stream in waiting))
        while waiting:
            patient = time.monotonic() < deadline
            late: list[Stream] = []
            for stream, one in await self._compare(waiting, rules):
                if patient and one.behind > one.dead_lettered:
                    late.append(stream)
                else:
                    result.add(one)
            waiting = late
            if waiting:
                await asyncio.sleep(LOOK_SECONDS)
        return result

    async def _compare(
        self, batch: Sequence[Stream], rules: Rules
    ) -> list[tuple[Stream, Verification]]:
        child_ids = [stream.child_id for stream in batch]
        stored = await self.stored.of(child_ids)
        # read behind the documents: whatever was purged by then lies behind it
        scope = Scope(self.models, await read_cutoff(self.database))
        ciphers = await self.source.keyring.ciphers(child_ids)
        compared = []
        for child_id, stream in zip(child_ids, batch, strict=True):
            documents, cipher = stored.get(child_id, {}), ciphers.get(child_id)
            one = await self._compare_child(stream, documents, cipher, rules, scope)
            compared.append((stream, one))
        late = [child_id for _, one in compared for child_id in one.behind]
        dead_lettered = await self.stored.dead_lettered(late) if late else set()
        for _, one in compared:
            one.dead_lettered = one.behind & dead_lettered
        return compared

    async def _compare_child(
        self,
        stream: Stream,
        stored: Documents,
        cipher: ChildCipher | None,
        rules: Rules,
        scope: Scope,
    ) -> Verification:
        child_id, last = stream.child_id, stream.last_version
        version = stored.get((Model.CHILDREN, child_id), {}).get("version", 0)
        erased = cipher is None
        ends_erased = stream.commits[-1].events[-1].type == ERASED
        if version > last or (erased and not ends_erased):
            stream = await self._read_again(stream)  # it moved on since it was read
        if erased:  # what its read models have not forgotten yet cannot be folded any more
            last = stream.last_version
        result = Verification(children=1, events=version)
        try:
            verify_chain(stream.commits)
        except ChainBroken as broken:
            result.note(broken_chain(broken))
        if version < last:
            result.behind.add(child_id)
            result.note(behind(child_id, last, version))
            if erased:
                return result
        try:
            seen = (event for event in stream.events if event.version <= version)
            folded = fold(seen, cipher, self.source.index, rules)
        except UNREADABLE as error:
            result.note(unfolded(child_id, error))
            return result
        expected, found = scope.of(documents_of(folded.view)), scope.of(stored)
        if folded.unopened is not None:
            result.unopened[child_id] = str(folded.unopened)
            expected, found = without_opened(expected), without_opened(found)
        _compare_documents(child_id, expected, found, result)
        return result

    async def _read_again(self, stream: Stream) -> Stream:
        """With what came since it was read, little as it is."""
        following = pages(self.source.store, stream.child_id, stream.last_version)
        later = [commit async for commits in following for commit in commits]
        return Stream([*stream.commits, *later])

    async def _verify_nothing_stray(self, known: Collection[str], result: Verification) -> None:
        """Documents of children that the store does not know."""
        for model in self.models.intersection({Model.CHILDREN, *OF_A_CHILD}):
            async for child_id in self.stored.owners(model):
                if child_id not in known and await self.source.store.last(child_id) is None:
                    result.note(
                        Difference(child_id, model, child_id, "(document)", "absent", "present")
                    )


def verifier_of(
    on: Stores,
    generation: Generation,
    models: frozenset[Model] = ALL_MODELS,
    rules: Rules | None = None,
) -> Verifier:
    """Compares `generation` with a fold of the event store, by its own rules or by `rules`."""
    source = EventSource(on.store, on.keyring, on.index)
    return Verifier(source, on.read, on.database, generation, models, rules)


def _compare_documents(
    child_id: str, expected: Documents, stored: Documents, result: Verification
) -> None:
    for model, _ in expected:
        result.documents[model] += 1
    result.digest = digest(stored)
    if result.digest != digest(expected):
        for difference in compare(child_id, expected, stored):
            result.note(difference)
