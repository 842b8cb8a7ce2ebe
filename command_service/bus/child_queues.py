"""Commands of one child, one after the other: each is decided on what the one before it did.

At the same time only one of them could append, and the others would try in vain until they give up.
Processes do not wait for one another: between them the version that an append expects decides.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain

from prometheus_client import CollectorRegistry, Gauge

from command_service.bus.errors import ChildBusy
from shared.auth.access import Principal
from shared.event_store.port import StoreUnavailable

Turn = asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many commands of a process may wait at a time, for one child and in all, and how long
    each of them."""

    per_child: int = 160
    in_all: int = 200
    seconds: float = 3.0

    @property
    def per_caller(self) -> int:
        """Of one caller, whatever the child: nobody takes all places."""
        return max(1, min(self.per_child, self.in_all) * 3 // 4)


class ChildQueues:
    """Lets one command a child through; the others wait, within `limits`, and are let through in
    their order, callers by turns. Commands of other children pass by.

    Raises ChildBusy when there is no place, or after too long a wait. When a command finds the
    store away those that wait for it fail at once, too: one after the other they would only find
    the same.
    """

    def __init__(self, limits: QueueLimits, registry: CollectorRegistry) -> None:
        self._limits = limits
        self._lines: dict[str, _Line] = {}
        self._waiting: Counter[Principal] = Counter()
        about = "Commands waiting in the queue of their child."
        gauge = Gauge("teddy_commands_waiting", about, registry=registry)
        gauge.set_function(self._waiting.total)

    @asynccontextmanager
    async def turn(self, child_id: str, caller: Principal) -> AsyncIterator[None]:
        """The child's, as long as the block takes. Raises ChildBusy or StoreUnavailable."""
        line = self._lines.get(child_id)
        if line is None:
            line = self._lines[child_id] = _Line()
        else:
            await self._wait(line, child_id, caller)
        try:
            yield
        except StoreUnavailable:
            line.fail_all_waiting()
            raise
        finally:
            self._next(line, child_id)

    @property
    def lines(self) -> int:
        """Children with a command under way."""
        return len(self._lines)

    async def _wait(self, line: "_Line", child_id: str, caller: Principal) -> None:
        self._require_place(line, caller)
        turn = line.join(caller)
        self._waiting[caller] += 1
        try:
            async with asyncio.timeout(self._limits.seconds):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if _is_given(turn):  # at the same moment: it is the next one's
                self._next(line, child_id)
            else:
                line.leave(caller, turn)
            if isinstance(error, TimeoutError):
                raise ChildBusy from None
            raise
        finally:
            self._waiting[caller] -= 1
            if not self._waiting[caller]:
                del self._waiting[caller]

    def _require_place(self, line: "_Line", caller: Principal) -> None:
        if (
            len(line) >= self._limits.per_child
            or self._waiting[caller] >= self._limits.per_caller
            or self._waiting.total() >= self._limits.in_all
        ):
            raise ChildBusy

    def _next(self, line: "_Line", child_id: str) -> None:
        if not line.give_turn():
            del self._lines[child_id]


class _Line:
    """Who waits for one child: each caller's commands in their order, callers by turns."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[Principal, deque[Turn]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def join(self, caller: Principal) -> Turn:
        turn: Turn = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(caller, deque()).append(turn)
        return turn

    def leave(self, caller: Principal, turn: Turn) -> None:
        lane = self._lanes.get(caller)
        if lane is not None and turn in lane:
            lane.remove(turn)
            if not lane:
                del self._lanes[caller]

    def give_turn(self) -> bool:
        """False when nobody waits."""
        while self._lanes:
            caller, lane = self._lanes.popitem(last=False)
            turn = lane.popleft()
            if lane:
                self._lanes[caller] = lane  # behind the other callers
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    def fail_all_waiting(self) -> None:
        for turn in chain.from_iterable(self._lanes.values()):
            if not turn.done():
                turn.set_exception(
                    StoreUnavailable("was unavailable for the previous command in the queue")
                )
        self._lanes.clear()


def _is_given(turn: Turn) -> bool:
    return turn.done() and not turn.cancelled() and turn.exception() is None
