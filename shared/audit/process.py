"""The audit trail within a process: opened, written in the background, closed."""

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog

from shared.audit.heads import HeadSigner
from shared.audit.port import TrailUnreadable
from shared.audit.record import OPERATOR, AuditRecord, AuditUnavailable, children_of
from shared.audit.settings import AuditSettings
from shared.audit.store import AuditStore, ensure_audit_indexes
from shared.audit.writer import Bounds, ChainedTrail
from shared.clock import Clock, new_id, utc_now
from shared.event_store.port import StoreUnavailable
from shared.mongo import Mongo
from shared.signing import StatementSigner, read_signing_key


async def record_look(settings: AuditSettings, operation: str, children: Iterable[str]) -> None:
    """Returns once the look is durable and signed; raises AuditUnavailable or SigningKeyRefused:
    then nothing may be shown. The subject is the system's name of whoever runs the command."""
    strict = settings.model_copy(update={"audit_strict": True})
    process = AuditProcess(strict, "command-line")
    async with process.running() as trail:
        await trail.record(
            AuditRecord(
                at=utc_now(),
                subject=getpass.getuser(),
                role=OPERATOR,
                operation=operation,
                outcome="answered",
                address=socket.gethostname(),
                correlation_id=new_id(),
                children=children_of(children),
            )
        )
    if not process.is_proved:
        raise AuditUnavailable("the access was recorded, but no audit head could be signed for it")


log = structlog.get_logger(__name__)


class AuditProcess:
    """It connects when it runs. `name` begins the segment's name: each start has its own."""

    def __init__(self, settings: AuditSettings, name: str, clock: Clock = utc_now) -> None:
        """Raises SigningKeyRefused."""
        signer = StatementSigner(read_signing_key(settings.proof_key_file))
        seconds = settings.audit_wait_seconds
        # a block may take twice as long as one who waits for it: it is offered again anyway
        self.mongo = Mongo(
            settings.audit_mongo_url, settings.mongo_driver, silence_ms=round(seconds * 2_000)
        )
        self._database = self.mongo.database(settings.audit_database)
        self._store = AuditStore(self._database, seconds * 2)
        bounds = Bounds(settings.audit_max_waiting, seconds, settings.audit_strict)
        self.trail = ChainedTrail(f"{name}-{new_id()}", self._store, clock, bounds)
        self._heads = HeadSigner(self.trail, self._store, signer, clock, settings.audit_heads_file)
        self._seconds = settings.audit_head_seconds
        self._clock = clock

    def readable(self, seconds: float) -> AuditStore:
        """What all processes wrote, to read; each look takes at most so long. Raises
        TrailUnreadable."""
        return AuditStore(self._database, seconds, TrailUnreadable)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ChainedTrail]:
        """Signs heads beside the body; at the end writes what waits and signs the last head."""
        preparing = asyncio.create_task(self._prepare())
        signing = asyncio.create_task(self._heads.every(self._seconds))
        try:
            yield self.trail
        finally:
            for task in (preparing, signing):
                task.cancel()
                await asyncio.wait({task})
            await self._end()
            await self.mongo.close()

    @property
    def is_proved(self) -> bool:
        """All that was recorded is durable and signed."""
        return not self.trail.waiting and self._heads.is_done

    async def _prepare(self) -> None:
        """Indexes serve `teddy audit show` only: the process starts without them, too."""
        try:
            await ensure_audit_indexes(self._database)
        except StoreUnavailable as error:
            log.warning("audit_indexes_missing", reason=str(error))

    async def _end(self) -> None:
        await self.trail.close()
        if self.trail.waiting:
            return  # the store is away: it would not take a head either, and the end is not to wait
        if not self._heads.is_done:
            await self._heads.try_to_sign()
        if not self._heads.is_done or self.trail.tail.sequence == 0:
            return  # it stays open, so that others vouch for it
        try:
            await self._store.end(self.trail.segment, self._clock())
        except StoreUnavailable as error:
            log.warning("audit_segment_not_ended", reason=str(error))
