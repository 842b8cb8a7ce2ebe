"""Writes children into a new generation, folded anew behind what workers brought of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from projection_worker.projector import Projector
from projection_worker.read_model_store import ReadModelStore
from projection_worker.replay.histories import Stream
from projection_worker.sequencing import ChildSequence, all_that_counts
from shared.envelope import RecordedEvent
from shared.read_models.documents import ChildDocument


@dataclass(frozen=True, slots=True)
class Written:
    """`failures`: children that could not be folded, and why. `unopened`: children of whom
    something sealed does not open, and why; they are folded, and only no search finds them."""

    failures: dict[str, str] = field(default_factory=dict)
    unopened: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: "Written") -> "Written":
        return Written(self.failures | other.failures, self.unopened | other.unopened)


class ChildrenWriter(Protocol):
    """Brings children into the new generation."""

    async def write(self, batch: Sequence[Stream], shard: str) -> Written:
        """All of `batch` in one transaction, but for the failures; counters go to `shard`.

        Raises StaleBatch when a worker wrote one of the children meanwhile, or UnstorableDocument;
        then nothing was written.
        """


class WholeChildren:
    """Every model is folded anew; what workers brought already is skipped."""

    def __init__(self, projector: Projector, read_models: ReadModelStore) -> None:
        self._projector = projector
        self._read_models = read_models

    async def write(self, batch: Sequence[Stream], shard: str) -> Written:
        return await self._write(
            {stream.child_id: all_that_counts(stream.events) for stream in batch}, shard
        )

    async def write_page(
        self, child_id: str, events: Sequence[RecordedEvent], shard: str
    ) -> Written:
        """As `write`, of one child whose earlier events are there. What is beyond them it leaves
        to whoever writes them."""
        return await self._write({child_id: events}, shard)

    async def _write(self, counting: Mapping[str, Sequence[RecordedEvent]], shard: str) -> Written:
        gates = await self._read_models.children(list(counting))
        sequences = [
            _missing(child_id, events, gates, shard) for child_id, events in counting.items()
        ]
        await self._projector.apply(sequences, gates)
        return Written(
            {one.child_id: told(one.failure[1]) for one in sequences if one.failure},
            {one.child_id: str(one.unopened) for one in sequences if one.unopened},
        )


def told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _missing(
    child_id: str,
    events: Sequence[RecordedEvent],
    gates: Mapping[str, ChildDocument],
    shard: str,
) -> ChildSequence:
    """What the new generation has not of a child."""
    gate = gates[child_id]["version"] if child_id in gates else 0
    return ChildSequence(child_id, shard, fresh=[one for one in events if one.version > gate])
