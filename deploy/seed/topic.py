"""Seeded commits are left out of the topic: their read models are there already, and millions of
records would keep what happens later from being seen for minutes.

While they are written nobody else leads as the relay, and the relay's place is that of one that
knows nothing: should the run be ended, the relay publishes the whole store, as after a loss of the
topic, and the workers drop by version what they have. Only when all is written, and nobody else
wrote meanwhile, the place is moved behind it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from command_service.relay.commit_feed import CommitFeed, StartOver
from command_service.relay.progress import LEASE, Checkpoint, Checkpoints
from deploy.seed.plan import Amount
from projection_worker.session import Refused, Stores
from shared.clock import new_id, utc_now
from shared.event_store.commit_documents import COLLECTION
from shared.lease import Lease
from shared.tasks import in_background

LEASE_SECONDS, RENEW_SECONDS = 10.0, 1.0


class RelayLeads(Refused):
    """A relay publishes the event store."""


class RelayPlace:
    """The relay's place in the event store, held by whoever seeds."""

    def __init__(self, on: Stores, lease: Lease) -> None:
        self._commits = on.commits[COLLECTION]
        self._feed = CommitFeed(on.write, on.commits, size=1)
        self._checkpoints = Checkpoints(on.commits)
        self._lease = lease
        self._checkpoint = Checkpoint()

    async def hold(self) -> int | None:
        """Forget the place; how many commits there are if all are published, else None."""
        before = await self._checkpoints.take(self._lease.fencing)
        stored = await self._commits.count_documents({})
        published = stored if not stored or await self._is_at_the_end(before) else None
        self._checkpoint = Checkpoint(ends=before.ends)
        await self._checkpoints.save(self._lease.fencing, self._checkpoint)
        return published

    async def move_behind(self, before: int | None, seeded: Amount) -> bool:
        """Behind all `seeded`, which came after `before` commits; False where others came, too."""
        async with self._feed.open(None) as now:
            token = now.token
        # counted behind the token: what is not counted, the feed has
        stored = await self._commits.count_documents({})
        if before is None or stored != before + seeded.commits:
            return False
        ends = self._checkpoint.ends
        place = Checkpoint(token, ends, stored, seeded.events, utc_now())
        await self._checkpoints.save(self._lease.fencing, place)
        return True

    async def _is_at_the_end(self, checkpoint: Checkpoint) -> bool:
        if checkpoint.token is None:
            return False
        try:
            async with self._feed.open(checkpoint.token) as changes:
                return (await changes.next_batch()).commits == 0
        except StartOver:
            return False


@asynccontextmanager
async def relay_place(on: Stores) -> AsyncIterator[RelayPlace]:
    """Held within the block. Raises RelayLeads, LeaseLost."""
    lease = Lease(on.commits, LEASE, new_id(), LEASE_SECONDS)
    if not await lease.acquire():
        raise RelayLeads(
            "a relay publishes this event store: seed while only the servers run "
            "(`teddy down`, `teddy up --servers-only`)"
        )

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await lease.renew_if_due()

    try:
        async with in_background(renew()):
            yield RelayPlace(on, lease)
    finally:
        await lease.release()
