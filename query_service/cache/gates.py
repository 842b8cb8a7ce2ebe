"""How far the read models of each child have come, for those who wait for their own writes."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from shared.signing import ConsistencyToken

POLL_SECONDS = 0.1
"""Between two looks at the store; a change notice wakes the waiting at once."""

MOST_LOOKS_A_SECOND = 500
"""At the store, of all that wait together: the more there are, the longer each pauses."""

REMEMBERED_GATES = 50_000


class ReadModelLate(Exception):
    """The read models did not reach the token's version in time."""


@dataclass(frozen=True, slots=True)
class _Gate:
    version: int
    known_since: float


class Gates:
    """`read_gate` asks the store for a child's version; `clock` is the cache's."""

    def __init__(
        self, read_gate: Callable[[str], Awaitable[int]], clock: Callable[[], float]
    ) -> None:
        self._read_gate = read_gate
        self._clock = clock
        self._known: OrderedDict[str, _Gate] = OrderedDict()
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._number_waiting = 0

    def reached(self, child_id: str, version: int) -> None:
        """The child's read models are at `version` at least; news of it wakes who waits."""
        known = self._known.get(child_id)
        if known is None or known.version < version:
            self._known[child_id] = _Gate(version, self._clock())
            if len(self._known) > REMEMBERED_GATES:
                self._known.popitem(last=False)
            for waiting in self._waiting.get(child_id, ()):
                waiting.set()

    async def wait(self, token: ConsistencyToken, seconds: float) -> float:
        """Returns a moment (of the clock) after which every read sees the token's version.

        Raises ReadModelLate after `seconds`.
        """
        deadline = self._clock() + seconds
        changed = asyncio.Event()
        self._waiting.setdefault(token.child_id, set()).add(changed)
        self._number_waiting += 1
        try:
            while True:
                known_since = await self.reached_since(token)
                if known_since is not None:
                    return known_since
                changed.clear()  # what came while we looked was seen: it is no reason to look again
                left = deadline - self._clock()
                if left <= 0:
                    raise ReadModelLate
                pause = max(POLL_SECONDS, self._number_waiting / MOST_LOOKS_A_SECOND)
                await _set_within(changed, min(left, pause))
        finally:
            self._stop_waiting(token.child_id, changed)

    async def reached_since(self, token: ConsistencyToken) -> float | None:
        """As `wait`, of what is so already; None when it is not."""
        known = self._known.get(token.child_id)
        if known is None or known.version < token.version:
            self.reached(token.child_id, await self._read_gate(token.child_id))
            known = self._known[token.child_id]
        return known.known_since if known.version >= token.version else None

    def _stop_waiting(self, child_id: str, changed: asyncio.Event) -> None:
        self._number_waiting -= 1
        waiting = self._waiting[child_id]
        waiting.discard(changed)
        if not waiting:
            del self._waiting[child_id]


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
