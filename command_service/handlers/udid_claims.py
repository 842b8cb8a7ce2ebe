"""A bear belongs to one active child: reservations, decided by version and not by a lock."""

from dataclasses import dataclass
from datetime import timedelta

import structlog

from command_service.domain.child.errors import UdidTaken
from command_service.domain.child.state import AccountStatus
from command_service.handlers.aggregates import Aggregates
from command_service.handlers.errors import ConcurrentUpdate
from shared.clock import Clock
from shared.event_store.port import Claim, ClaimStore, StoreUnavailable, VersionConflict
from shared.keyring.search_index import SearchIndex

log = structlog.get_logger(__name__)

ATTEMPTS = 3

ABANDONED_AFTER = timedelta(seconds=60)
"""An append ends within 30 s, and nobody begins one without having seen that its reservation is
uncontested: contested for so long, it never gets its events."""


@dataclass(frozen=True, slots=True)
class UdidClaims:
    claims: ClaimStore
    index: SearchIndex
    aggregates: Aggregates
    clock: Clock

    def claim(self, udid: str, child_id: str, version: int) -> Claim:
        """A reservation of `udid` (normalised) for a child whose stream is at `version`."""
        return Claim(self.index.claim_key(udid), child_id, version, self.clock())

    async def take(self, claim: Claim) -> Claim | None:
        """None when the bear is ours now, else the reservation that stands in the way."""
        return await self.claims.take(claim)

    async def contest(self, held: Claim, claim: Claim) -> None:
        """Take the bear from `held` if that yields.

        Raises UdidTaken, ConcurrentUpdate, or VersionConflict when the child's own reservation is
        newer than `claim`: then its stream has moved on.
        """
        standing: Claim | None = held
        for _ in range(ATTEMPTS):
            if standing is None or _is_ours(standing, claim):
                return
            await self._require_yielding(standing, claim)
            if await self.claims.take_over(standing, claim):
                return
            standing = await self.claims.take(claim)
        raise ConcurrentUpdate

    async def release(self, udid: str, child_id: str, before_version: int) -> None:
        """Give the bear free that `child_id` reserved below `before_version` of its stream."""
        try:
            await self.claims.release(self.index.claim_key(udid), child_id, before_version)
        except StoreUnavailable:
            # what the caller did is a fact and must not look failed: whoever wants the bear sees
            # that its holder is not active, and takes the claim over
            log.warning("claim_not_released", child_id=child_id)

    async def remove_of(self, child_id: str) -> None:
        """As if the child had never had a bear. Raises StoreUnavailable."""
        await self.claims.remove_of(child_id)

    async def _require_yielding(self, held: Claim, claim: Claim) -> None:
        if held.child_id == claim.child_id and held.version > claim.version:
            # an older version would let a late release of an earlier deactivation match
            raise VersionConflict(claim.child_id, claim.version)
        if held.released or held.child_id == claim.child_id:
            return
        holder = await self.aggregates.current(held.child_id)
        if holder is not None and holder.position.version > held.version:
            if holder.child.status is AccountStatus.ACTIVE:
                raise UdidTaken
            return  # its release was lost in a crash
        if await self.claims.contested_for(held) < ABANDONED_AFTER:
            raise UdidTaken


def _is_ours(held: Claim, claim: Claim) -> bool:
    """Contested, it has to be renewed first: the rival's minute may soon be over."""
    same = (held.child_id, held.version) == (claim.child_id, claim.version)
    return same and not held.released and not held.contested
