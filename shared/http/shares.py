"""What an API takes on at a time, and how much of it one caller may have."""

import math
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Who = TypeVar("Who", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Totals of one process, and the parts of them (0 to 1) that one caller may have.

    An address's part is of connections and of requests; a subject's of requests. A part of 1 is no
    bound: requests that wait count for their callers, and not for the total.
    """

    requests: int = 400
    connections: int = 900
    address_share: float = 0.25
    subject_share: float = 0.05


class Shares(Generic[Who]):
    """Counts what each caller has, and lets none have more than its part of `total` (at least 1).

    Who has nothing is not known here: what is kept is bounded by what is under way.
    """

    def __init__(self, total: int, share: float) -> None:
        self._most = max(1, int(total * share)) if share < 1 else math.inf
        self._taken: Counter[Who] = Counter()

    def is_full(self, who: Who) -> bool:
        return self._taken[who] >= self._most  # a Counter does not keep what it is only asked for

    def take(self, who: Who) -> bool:
        """False, and nothing is taken, when the caller has its part already."""
        if self.is_full(who):
            return False
        self._taken[who] += 1
        return True

    def give_back(self, who: Who) -> None:
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]

    @property
    def callers(self) -> int:
        """How many have something."""
        return len(self._taken)
