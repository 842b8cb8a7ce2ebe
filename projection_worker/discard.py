"""Which parked records nobody needs any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from projection_worker.gates import gates_of
from projection_worker.parked_sequences import DeadLetter, ParkedSequences
from shared.event_store.port import EventStore
from shared.mongo import Database


class Verdict(StrEnum):
    """What a parked record means to the read models of its generation."""

    SEEN = "already in the read models"
    NO_EVENT = "not in the event store"
    GENERATION_GONE = "its generation is gone"
    NEEDED = "needed: the event store has it, the read models do not"


def verdict(version: int | None, gate: int | None, last: int) -> Verdict:
    """`gate`: the child's version in the generation, None when that is not kept; `last`: its
    version in the event store. Without a `version` the record may be any that is still missing."""
    if gate is None:
        return Verdict.GENERATION_GONE
    if version is None:
        return Verdict.NO_EVENT if gate >= last else Verdict.NEEDED
    if version <= gate:
        return Verdict.SEEN
    return Verdict.NO_EVENT if version > last else Verdict.NEEDED


@dataclass(frozen=True, slots=True)
class Judged:
    letter: DeadLetter
    verdict: Verdict


class Discard:
    def __init__(self, database: Database, parked: ParkedSequences, store: EventStore) -> None:
        self._database = database
        self._parked = parked
        self._store = store

    async def judge(self, letters: Sequence[DeadLetter]) -> list[Judged]:
        """`letters` are of one child."""
        if not letters:
            return []
        child_id = letters[0].parked.child_id
        gates = await gates_of(self._database, child_id)
        newest = await self._store.last(child_id)
        last = max(gates.values() if newest is None else (newest.last_version, *gates.values()))
        return [
            Judged(letter, verdict(letter.version, gates.get(letter.generation), last))
            for letter in letters
        ]

    async def carry_out(self, letters: Sequence[DeadLetter]) -> None:
        """Remove them, and the marks of those children of whom nothing is parked any more."""
        await self._parked.remove(letters)
        await self._parked.unmark_emptied(
            (letter.parked.child_id, letter.generation) for letter in letters
        )
