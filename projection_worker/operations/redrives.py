"""What became of the children of a redrive, of whom none keeps another back."""

from collections.abc import Collection
from dataclasses import dataclass

import structlog

from projection_worker.operations.agent import PASSING, InVain
from projection_worker.projecting.unstorable import in_few_words
from projection_worker.session import Failed

MOST_IN_A_ROW = 3
"""Children that fail one after the other by what passes: a server is away, and it is no use to go
on before it is back."""

log = structlog.get_logger(__name__)


def in_turn(children: Collection[str], attempt: int) -> list[str]:
    """Each attempt, from 1, begins behind those that may have ended the one before: children that
    fail again and again keep others waiting only so long."""
    ordered = sorted(children)
    first = (attempt - 1) * MOST_IN_A_ROW % max(1, len(ordered))
    return ordered[first:] + ordered[:first]


@dataclass(slots=True)
class Redrives:
    """`others`: children that were named and are not dead-lettered. `records`: published again, of
    `done` children."""

    others: int
    done: int = 0
    records: int = 0
    _failed: int = 0
    _first: str = ""
    _may_pass: bool = False
    _in_a_row: int = 0

    def redriven(self, records: int) -> None:
        self.done += 1
        self.records += records
        self._in_a_row = 0

    def failed(self, child_id: str, error: Exception) -> None:
        """Raises InVain where others would fail, too."""
        why = in_few_words(error)  # its message may hold anything
        log.warning("child_not_redriven", child_id=child_id, reason=why)
        self._failed += 1
        self._first = self._first or f"{child_id} by {why}"
        passes = isinstance(error, PASSING)
        self._may_pass |= passes
        self._in_a_row = self._in_a_row + 1 if passes else 0
        if self._in_a_row == MOST_IN_A_ROW:
            raise InVain(self._so_far())

    def outcome(self) -> str:
        """In one line. Raises InVain or Failed with it where a child failed."""
        if self._failed:
            raise (InVain if self._may_pass else Failed)(self._so_far())
        return self._so_far()

    def _so_far(self) -> str:
        whose = "1 child" if self.done == 1 else f"{self.done} children"
        said = [f"records published again: {self.records}, of {whose}"]
        if self.others:
            said.append(f"{self.others} named were not dead-lettered")
        if self._failed:
            said.append(f"{self._failed} failed, the first, {self._first}")
        return "; ".join(said)
