"""The evidence of an incident: one file at a time, within so many seconds, and on record before the
first record is read for it."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field

from query_service.api.exports import READER_SECONDS
from shared.audit.block_check import Report
from shared.audit.bundle import NoEvidence, NotSignedYet, as_file, collect
from shared.audit.recent_heads import TooManyHeads
from shared.audit.record import AuditTrail, record_of
from shared.audit.signed_trail import OpenSignedTrail
from shared.auth.access import Principal
from shared.clock import Clock
from shared.event_store.port import EventStore
from shared.tasks import time_limit

OPERATION = "ExportEvidence"
BEGUN = "begun"
"""The outcome on record before anything is read; what came of it is a record of its own."""

MOST_SECONDS = 30.0
"""For which the trail is read; the command line has no such limit."""

MOST_HEADS = 50_000
"""Kept in memory meanwhile, in about 200 MB: what two processes sign in 17 days."""

SENDING_SECONDS = 120.0
"""For the whole file: as long as one reader takes it, nobody else gets any of this process."""


class EvidenceBeingMade(Exception):
    """This process makes one already."""


class ViolationNotFound(Exception):
    """The event store has no such violation of this child."""


class EvidenceNotSignedYet(Exception):
    """No signed head covers the violation; `seconds`: between two heads."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"heads are signed every {seconds:g} s")
        self.seconds = seconds


class EvidenceTooLong(Exception):
    """More was recorded or signed since than is read here: the text says how much is."""


@dataclass(slots=True, eq=False)
class Evidence:
    """`head_seconds`: between two signed heads."""

    events: EventStore
    trail: OpenSignedTrail
    record: AuditTrail
    clock: Clock
    head_seconds: float
    most_seconds: float = MOST_SECONDS
    most_heads: int = MOST_HEADS
    reader_seconds: float = READER_SECONDS
    sending_seconds: float = SENDING_SECONDS
    _is_taken: bool = field(default=False, init=False)

    def slot(self) -> ExitStack:
        """Whoever has it closes it, once the file is sent: there is one in memory at most. Raises
        EvidenceBeingMade."""
        if self._is_taken:
            raise EvidenceBeingMade
        self._is_taken = True
        slot = ExitStack()
        slot.callback(self._free)
        return slot

    async def put_on_record(self, asker: Principal, child_id: str, correlation_id: str) -> None:
        """Raises AuditUnavailable: then nothing may be read."""
        at = self.clock()
        await self.record.record(
            record_of(asker, OPERATION, BEGUN, at, correlation_id, (child_id,))
        )

    async def file(self, child_id: str, violation_id: str) -> bytes:
        """As `teddy evidence export` writes it, with the heads since only. Raises
        ViolationNotFound, EvidenceNotSignedYet, EvidenceTooLong, StoreUnavailable."""
        try:
            async with time_limit(self.most_seconds):
                trail = await asyncio.to_thread(self.trail)
                at, most = self.clock(), self.most_heads
                bundle = await collect(
                    self.events, trail, child_id, violation_id, at, Report(), most
                )
        except NoEvidence:
            raise ViolationNotFound from None
        except NotSignedYet:
            raise EvidenceNotSignedYet(self.head_seconds) from None
        except TimeoutError:
            raise EvidenceTooLong(f"it cannot be read in {self.most_seconds:g} s") from None
        except TooManyHeads:
            raise EvidenceTooLong(f"over {self.most_heads:,} signed heads") from None
        return await asyncio.to_thread(as_file, bundle)

    def _free(self) -> None:
        self._is_taken = False
