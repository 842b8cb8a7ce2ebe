"""Reservations of before device ids were reserved, and ids in one case, brought up to today's.

A child that was registered then has its UDID reserved as it was written, and its device id not at
all. Both are reserved for it here, before anybody else can have them.
"""

import asyncio
from dataclasses import dataclass

import structlog

from command_service.aggregates.repository import Aggregates
from command_service.aggregates.snapshots import LoadedChild
from command_service.bus.errors import ChildLoading, ConcurrentUpdate
from command_service.child.account import AccountStatus
from command_service.child.errors import DeviceIdTaken, UdidTaken
from command_service.claims.bear_claims import BearClaims
from shared.event_store.port import Claim, StoreUnavailable, VersionConflict
from shared.keyring.keyring import SealBroken, UnknownKek

PAGE = 100
LOOK_SECONDS = 30.0
"""While an upgrade is under way, processes of the release before still make older ones."""

FINDING = "claims of an earlier release are being migrated; the process is ready afterwards"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class OlderClaims:
    """`done`: all were looked at once."""

    claims: BearClaims
    aggregates: Aggregates
    done: bool = False

    async def keep_settling(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.settle()
            except StoreUnavailable as error:
                log.warning("older_claims_unknown", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def settle(self) -> int:
        """How many were brought up to date. Raises StoreUnavailable."""
        after, settled = "", 0
        while page := await self.claims.claims.older(after, PAGE):
            settled += sum(await asyncio.gather(*map(self._settle, page)))
            after = page[-1].key
        self.done = True
        if settled:
            log.info("older_claims_migrated", claims=settled)
        return settled

    def findings(self) -> tuple[str, ...]:
        """What keeps the process from being ready."""
        return () if self.done else (FINDING,)

    async def _settle(self, older: Claim) -> bool:
        try:
            loaded = await self.aggregates.current(older.child_id)
        except (SealBroken, UnknownKek, ChildLoading) as error:
            log.warning(
                "older_claim_not_migrated", child_id=older.child_id, error=type(error).__name__
            )
            return False
        if loaded is None:
            return False  # its registration is under way, or never landed
        if not await self._reserve(older, loaded):
            return False
        await self.claims.claims.settle(older.key)
        await self._keep_none_of_the_erased(older.child_id)
        return True

    async def _keep_none_of_the_erased(self, child_id: str) -> None:
        """An erasure at the same moment may have removed what there was before we reserved."""
        loaded = await self.aggregates.current(child_id)
        if loaded is not None and loaded.child.status is AccountStatus.ERASED:
            await self.claims.remove_of(child_id)

    async def _reserve(self, older: Claim, loaded: LoadedChild) -> bool:
        """One by one: a bear that two children share since long falls silent for neither."""
        if loaded.child.status is not AccountStatus.ACTIVE:
            return True
        bear, version = loaded.child.profile, loaded.position.version
        for each in self.claims.wanted(
            older.child_id, version, udid=bear.udid, device_id=bear.device_id
        ):
            if each.claim.key == older.key:
                continue  # reserved already, and looked at again until the rest is
            try:
                await self.claims.reserve([each])
            except (UdidTaken, DeviceIdTaken) as taken:
                log.warning("bear_shared", child_id=older.child_id, code=taken.code)
                return False
            except (VersionConflict, ConcurrentUpdate):
                return False  # it is changing at this moment
        return True
