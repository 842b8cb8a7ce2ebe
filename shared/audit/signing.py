"""Signs where a trail has come to, every so many seconds and at its end."""

import asyncio
from pathlib import Path

import structlog

from shared.audit.chain import Tail
from shared.audit.heads import HeadChain, append_to_file
from shared.audit.store import AuditStore
from shared.audit.writer import ChainedTrail
from shared.clock import Clock
from shared.event_store.port import StoreUnavailable
from shared.proofs.statements import StatementSigner

log = structlog.get_logger(__name__)


class HeadSigner:
    """Keeps each head in the database and, where there is one, in `file`."""

    def __init__(
        self,
        trail: ChainedTrail,
        store: AuditStore,
        signer: StatementSigner,
        clock: Clock,
        file: Path | None,
    ) -> None:
        self._trail = trail
        self._store = store
        self._heads = HeadChain(trail.segment, signer)
        self._clock = clock
        self._file = file
        self._unkept: list[tuple[int, str]] = []
        self._seen: dict[str, Tail] = {}
        self._vouched: dict[str, Tail] = {}

    @property
    def is_done(self) -> bool:
        """All that the trail holds is covered by heads that are kept."""
        return self._trail.tail == self._heads.signed and not self._unkept

    async def sign(self) -> None:
        """Nothing when there is nothing new to vouch for. Raises StoreUnavailable or OSError; what
        was signed by then is kept the next time."""
        tail, before = self._trail.tail, self._seen
        seen = self._seen = await self._store.open_tails()
        # others that stood still since the last look may be dead: who else would sign for them?
        left = {
            name: one
            for name, one in seen.items()
            if name != self._trail.segment and before.get(name) == one != self._vouched.get(name)
        }
        if tail != self._heads.signed or left:
            self._vouched = seen
            text = self._heads.next(tail, self._clock(), seen)
            self._unkept.append((self._heads.number, text))
        while self._unkept:
            number, text = self._unkept[0]
            await self._store.add_head(self._trail.segment, number, text)
            if self._file is not None:
                await append_to_file(self._file, text)
            self._unkept.pop(0)

    async def every(self, seconds: float) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.try_to_sign()

    async def try_to_sign(self) -> None:
        """As `sign`; a failure is logged, the next turn tries again."""
        try:
            await self.sign()
        except (StoreUnavailable, OSError) as error:
            log.warning("audit_head_not_kept", error=type(error).__name__, reason=str(error))
