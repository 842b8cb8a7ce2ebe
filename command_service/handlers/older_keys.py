"""Idempotency keys of earlier releases: looked for only where there are any.

They are a plain hash of caller and key, with a digest of the request under the index key.
"""

import asyncio
import hashlib
import hmac

import structlog

from command_service.bus.command_bus import SentRequest
from shared.event_store.envelope import Idempotency
from shared.event_store.port import EventStore, StoreUnavailable

LOOK_SECONDS = 30.0
"""While an upgrade is under way, processes of the release before still make older ones."""

log = structlog.get_logger(__name__)


class OlderKeys:
    """`exist`: whether the store has any. It is not asked for them until it had one."""

    def __init__(self, store: EventStore, index_key: bytes) -> None:
        self.exist = False
        self._store = store
        self._print_key = hmac.digest(index_key, b"request print", "sha256")

    async def look(self) -> None:
        """Raises StoreUnavailable."""
        self.exist = self.exist or await self._store.has_older_keys()

    async def keep_looking(self) -> None:
        """Look again and again, until there is one or until cancelled."""
        while not self.exist:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("older_keys_unknown", reason=str(error))

    def key_of(self, request: SentRequest) -> str:
        """What an earlier release stored as its key."""
        return hashlib.sha256("\n".join(request.as_sent).encode()).hexdigest()

    def form_of(self, request: SentRequest) -> Idempotency:
        """What an earlier release stored of the request."""
        fingerprint = hmac.digest(self._print_key, request.content, "sha256")
        return Idempotency(self.key_of(request), fingerprint.hex())
