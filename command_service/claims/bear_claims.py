"""A bear belongs to one active child: reservations, decided by version and not by a lock.

A bear is known by two ids: its UDID, and its device id, which is the subject of its tokens. Each is
reserved by itself, under a keyed hash of the id in one case.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from command_service.aggregates.repository import Aggregates
from command_service.bus.errors import ConcurrentUpdate
from command_service.child.account import AccountStatus
from command_service.child.errors import ChildErasedError, CommandRefused, DeviceIdTaken, UdidTaken
from command_service.child.state import Child
from shared.auth.bears import BearIndex, in_one_case
from shared.clock import Clock
from shared.event_store.port import Claim, ClaimStore, StoreUnavailable, VersionConflict
from shared.events.personal import Personal

log = structlog.get_logger(__name__)

ATTEMPTS = 3

ABANDONED_AFTER = timedelta(seconds=60)
"""An append ends within 30 s, and nobody begins one without having seen that its reservation is
uncontested: contested for so long, it never gets its events."""

Id = Personal[str] | None


@dataclass(frozen=True, slots=True)
class WantedClaim:
    """A reservation to make, and what to say where the bear is another's. `older_key`: where that
    may stand, too, since before ids were reserved in one case; of UDIDs alone, which come first."""

    claim: Claim
    refusal: type[CommandRefused]
    older_key: str | None = None


@dataclass(frozen=True, slots=True)
class BearClaims:
    claims: ClaimStore
    index: BearIndex
    aggregates: Aggregates
    clock: Clock

    def wanted(
        self, child_id: str, version: int, by: str = "", *, udid: Id = None, device_id: Id = None
    ) -> list[WantedClaim]:
        """For a child whose stream is at `version`; none for an id that is not there any more.
        `by`: the command that wants it, by its own id."""
        now = self.clock()
        made = []
        if udid is not None and udid.value is not None:
            key, older = self._udid_keys(udid.value)
            made.append(WantedClaim(Claim(key, child_id, version, now, by=by), UdidTaken, older))
        if device_id is not None and device_id.value is not None:
            key = self._device_key(device_id.value)
            made.append(WantedClaim(Claim(key, child_id, version, now, by=by), DeviceIdTaken))
        return made

    async def in_the_way(
        self, wanted: Sequence[WantedClaim]
    ) -> AsyncIterator[tuple[WantedClaim, Claim]]:
        """Take them all, in their order: each that somebody else has, with that reservation, before
        any after it is taken."""
        left = wanted
        while left and (held := await self._take(left)) is not None:
            place = next(
                i for i, each in enumerate(left) if held.key in (each.claim.key, each.older_key)
            )
            yield left[place], held
            left = left[place + 1 :]

    async def _take(self, wanted: Sequence[WantedClaim]) -> Claim | None:
        """None when they are ours now, else the first reservation that stands in the way."""
        first, *rest = (each.claim for each in wanted)
        older_key = wanted[0].older_key
        if older_key is None:
            return await self.claims.take(first, *rest)
        older, held = await asyncio.gather(self.claims.find(older_key), self.claims.take(first))
        if older is not None and older.child_id != first.child_id and not older.released:
            return older
        return await self.claims.take(*rest) if rest and held is None else held

    async def contest(self, wanted: WantedClaim, held: Claim) -> None:
        """Take the bear from `held` if that yields.

        Raises UdidTaken, DeviceIdTaken, ConcurrentUpdate, or VersionConflict when the child's own
        reservation is newer than the one wanted: then its stream has moved on.
        """
        standing: Claim | None = held
        for _ in range(ATTEMPTS):
            if standing is None or _is_ours(standing, wanted.claim):
                return
            await self._require_yielding(standing, wanted)
            # an older one only has to yield: it stands under another key
            if standing.key == wanted.claim.key and await self.claims.take_over(
                standing, _taking_over(standing, wanted.claim)
            ):
                return
            standing = await self.claims.take(wanted.claim)
        raise ConcurrentUpdate

    async def reserve(self, wanted: Sequence[WantedClaim]) -> None:
        """Take them all, within `given_back_on_refusal` where there are several. Raises what
        `contest` raises."""
        async for each, held in self.in_the_way(wanted):
            await self.contest(each, held)

    @asynccontextmanager
    async def given_back_on_refusal(self, wanted: Sequence[WantedClaim]) -> AsyncIterator[None]:
        """Whatever of `wanted` is taken within is given back when the command is refused later."""
        try:
            yield
        except ChildErasedError:
            if wanted:  # taken after the erasure had removed all
                await self.remove_of(wanted[0].claim.child_id)
            raise
        except CommandRefused:
            await self.give_back(wanted)
            raise

    async def give_back(self, wanted: Sequence[WantedClaim]) -> None:
        """What is exactly as it was taken for `wanted`; the rest is not ours."""
        try:
            for each in wanted:
                await self.claims.take_over(each.claim, replace(each.claim, released=True))
        except StoreUnavailable:
            log.warning("claim_not_released", child_id=wanted[0].claim.child_id)

    async def release(
        self, child_id: str, before_version: int, *, udid: Id = None, device_id: Id = None
    ) -> None:
        """Give free what `child_id` reserved below `before_version` of its stream."""
        try:
            for each in self.wanted(child_id, before_version, udid=udid, device_id=device_id):
                await self.claims.release(each.claim.key, child_id, before_version)
        except StoreUnavailable:
            # what the caller did is a fact and must not look failed: whoever wants the bear sees
            # that its holder does not have it, and takes the claim over
            log.warning("claim_not_released", child_id=child_id)

    async def remove_of(self, child_id: str) -> None:
        """As if the child had never had a bear. Raises StoreUnavailable."""
        await self.claims.remove_of(child_id)

    def is_one_device(self, one: Id, other: Id) -> bool:
        """Whether both are reserved as the same."""
        if one is None or other is None or one.value is None or other.value is None:
            return False
        return in_one_case(one.value) == in_one_case(other.value)

    async def _require_yielding(self, held: Claim, wanted: WantedClaim) -> None:
        claim = wanted.claim
        if held.child_id == claim.child_id:
            if held.version > claim.version:
                # an older version would let a late release of an earlier deactivation match
                raise VersionConflict(claim.child_id, claim.version)
            return
        holder = await self.aggregates.current(held.child_id)
        if holder is not None and self._has(holder.child, held.key):
            raise wanted.refusal()
        if held.released or (holder is not None and holder.position.version > held.version):
            return  # released, or the release was lost in a crash
        if await self.claims.contested_for(held) < ABANDONED_AFTER:
            raise wanted.refusal()

    def _has(self, child: Child, key: str) -> bool:
        """Whether `key` is of a bear that `child` has. What does not open may be it."""
        if child.status is not AccountStatus.ACTIVE:
            return False
        udid, device_id = child.profile.udid, child.profile.device_id
        if any(each is not None and each.value is None for each in (udid, device_id)):
            return True
        keys = set(self._udid_keys(udid.reveal())) if udid is not None else set()
        if device_id is not None:
            keys.add(self._device_key(device_id.reveal()))
        return key in keys

    def _udid_keys(self, udid: str) -> tuple[str, str | None]:
        """Today's, and that of before where it is another."""
        in_case = in_one_case(udid)
        older = None if in_case == udid else self.index.udid_key(udid)
        return self.index.udid_key(in_case), older

    def _device_key(self, device_id: str) -> str:
        return self.index.device_key(in_one_case(device_id))


def _is_ours(held: Claim, claim: Claim) -> bool:
    """Contested, it has to be renewed first: the rival's minute may soon be over. Taken by another
    command, too: that may give it back any moment."""
    same = (held.child_id, held.version) == (claim.child_id, claim.version)
    return same and not held.released and not held.contested and not held.by


def _taking_over(held: Claim, claim: Claim) -> Claim:
    """What two commands of a child rely on is given back by neither: the other may yet land, and
    their child would lose its bear to another. Who wants it later sees that the child has it not.
    """
    of_the_same = (held.child_id, held.version) == (claim.child_id, claim.version)
    shared = of_the_same and not held.released and held.by != claim.by
    return replace(claim, by="") if shared else claim
