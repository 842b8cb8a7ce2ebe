"""One process's part of the trail: a segment of its own, written in blocks by one task."""

import asyncio
import time
from collections import deque
from contextvars import Context
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

import structlog

from shared.audit.chain import Block, Tail, seal_block
from shared.audit.record import AuditRecord, AuditUnavailable, Record
from shared.clock import Clock
from shared.event_store.port import StoreUnavailable
from shared.tasks import time_limit

log = structlog.get_logger(__name__)

PAUSES = (0.05, 0.1, 0.2, 0.5)
CLOSE_SECONDS = 2.0
MOST_CHILDREN_A_BLOCK = 20_000
"""Their ids make up to 2 MB; the server takes documents of 16 MB."""

GAP = "AuditGap"
"""Records in the trail how many requests of each operation were refused without a record."""


UNRECORDED = "refused because they could not be recorded"
"""What a gap's outcome says behind their number."""


def unrecorded_in(record: Record) -> int:
    """How many requests a gap stands for; 0 for any other record."""
    number, _, rest = record["outcome"].partition(" ")
    is_gap = record["operation"] == GAP and rest == UNRECORDED
    return int(number) if is_gap and number.isascii() and number.isdecimal() else 0


class Blocks(Protocol):
    """Where blocks become durable."""

    async def append(self, block: Block) -> None:
        """The same block may be offered again. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """`waiting`: records that wait to become durable; one more is refused. `seconds`: how long one
    may wait until reads are refused. `is_strict`: each read waits for its record. `block`: most
    records that become durable together."""

    waiting: int = 10_000
    seconds: float = 1.0
    is_strict: bool = False
    block: int = 2_000


class _Waiting(NamedTuple):
    entry: AuditRecord
    durable: asyncio.Future[None] | None
    since: float


class ChainedTrail:
    """An AuditTrail. Records become durable in the order in which they came, none is passed over:
    while the store is away they wait, `record` refuses at once and `note` while there is room.
    Unless it is strict, a process that is killed takes with it what came in its last `seconds`.

    One task writes, as long as something waits. Not a GroupCommit: a block whose fate is unknown is
    offered again, as it is, before any that follows.
    """

    def __init__(
        self, segment: str, blocks: Blocks, clock: Clock, bounds: Bounds | None = None
    ) -> None:
        self.segment = segment
        self.tail = Tail()
        self.missed = 0
        self._blocks = blocks
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._waiting: deque[_Waiting] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._failing = False

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return len(self._waiting)

    async def record(self, entry: AuditRecord) -> None:
        if self._failing or self._is_late():
            self.missed += 1
            raise AuditUnavailable("the audit trail is unavailable")
        self.require_room()
        if not self._bounds.is_strict and len(self._waiting) < self._bounds.waiting // 2:
            self._offer(entry, None)
            return
        # strict, or much waits already: whoever asks is slowed down, so that none is refused
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._offer(entry, durable)
        try:
            async with asyncio.timeout(self._bounds.seconds):
                await durable
        except TimeoutError:
            raise AuditUnavailable("the audit trail did not confirm in time") from None

    def note(self, entry: AuditRecord) -> None:
        self.require_room()
        self._offer(entry, None)

    def require_room(self, records: int = 1) -> None:
        if len(self._waiting) + records > self._bounds.waiting:
            self.missed += 1
            raise AuditUnavailable("too many records are waiting for the audit trail")

    async def close(self) -> None:
        """Write what waits, for 2 s at most; what is lost then is said in the log."""
        try:
            async with time_limit(CLOSE_SECONDS):
                while self._writer is not None:
                    await asyncio.wait({self._writer})
        except TimeoutError:
            log.warning("audit_records_lost", records=len(self._waiting))
            if self._writer is not None:
                self._writer.cancel()

    def _is_late(self) -> bool:
        """The oldest record has waited too long: a crash now would lose more than was promised."""
        if not self._waiting:
            return False
        return time.monotonic() - self._waiting[0].since > self._bounds.seconds

    def _offer(self, entry: AuditRecord, durable: asyncio.Future[None] | None) -> None:
        self._waiting.append(_Waiting(entry, durable, time.monotonic()))
        if self._writer is None:
            # not in the caller's context: its log fields and deadlines are not the writer's
            self._writer = asyncio.create_task(self._write(), context=Context())

    async def _write(self) -> None:
        try:
            while self._waiting:
                size = self._next_size()
                block = seal_block(
                    self.segment, self.tail, [self._waiting[place].entry for place in range(size)]
                )
                await self._until_durable(block)
                self.tail = block.tail
                for _ in range(size):
                    durable = self._waiting.popleft().durable
                    if durable is not None and not durable.done():
                        durable.set_result(None)
                self._record_gap()
        finally:
            self._writer = None

    def _next_size(self) -> int:
        children = 0
        for size, waiting in enumerate(islice(self._waiting, self._bounds.block)):
            children += len(waiting.entry.children)
            if size and children > MOST_CHILDREN_A_BLOCK:
                return size
        return min(len(self._waiting), self._bounds.block)

    async def _until_durable(self, block: Block) -> None:
        tries = 0
        while True:
            try:
                await self._blocks.append(block)
            except StoreUnavailable as error:
                if not self._failing:
                    log.warning("audit_trail_unavailable", reason=str(error))
                self._failing = True
                await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
                tries += 1
            else:
                self._failing = False
                return

    def _record_gap(self) -> None:
        if self.missed:
            gap = AuditRecord(
                at=self._clock(),
                subject="",
                role="",
                operation=GAP,
                outcome=f"{self.missed} {UNRECORDED}",
            )
            self.missed = 0
            self._waiting.append(_Waiting(gap, None, time.monotonic()))
