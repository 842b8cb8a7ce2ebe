"""The relay: while it leads, it publishes the event store to Kafka and saves how far it came."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import structlog
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from command_service.erasure import ErasureSweep
from command_service.relay.commit_feed import CommitFeed, OpenFeed, StartOver, in_batches
from command_service.relay.progress import Ends, Progress
from command_service.relay.publisher import Publisher
from shared.erasures import ErasureNotice
from shared.event_store.envelope import RecordedEvent
from shared.event_store.port import EventStore, StoreUnavailable
from shared.events.child import ERASED
from shared.fault_points import FaultPoint, reached
from shared.lease import Lease, LeaseLost
from shared.mongo import Document
from shared.tasks import time_limit

BACKOFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
IDLE_SECONDS = 5.0
"""How often an idle relay saves its token and looks whether the topic still ends where it did."""

OpenPublisher = Callable[[], AbstractAsyncContextManager[Publisher]]

log = structlog.get_logger(__name__)


class Relay:
    """One of possibly many; only the holder of the lease publishes.

    Each commit reaches the topic at least once and each child's commits in order. The checkpoint is
    saved after each batch of the feed, once the broker has acknowledged all of it.
    """

    def __init__(
        self,
        lease: Lease,
        progress: Progress,
        feed: CommitFeed,
        store: EventStore,
        open_publisher: OpenPublisher,
        sweep: ErasureSweep,
    ) -> None:
        self._lease = lease
        self._progress = progress
        self._feed = feed
        self._store = store
        self._open_publisher = open_publisher
        self._sweep = sweep
        self._swept = False
        self._stopping = asyncio.Event()
        self._failures = 0

    def stop(self) -> None:
        """End `run` after the batch in flight."""
        self._stopping.set()

    async def run(self) -> None:
        """Lead whenever the lease is free, until stopped. Failures are logged and tried again."""
        while not self._stopping.is_set():
            try:
                if await self._lease.acquire():
                    await self._lead()
                else:
                    await self._pause(self._lease.retry_seconds)
            except StartOver as reason:
                self._swept = False  # databases may have been restored under a running relay
                log.warning("relay_resume_impossible", reason=str(reason))
            except LeaseLost as reason:
                log.warning("lease_lost", reason=str(reason))
            except (KafkaError, PyMongoError, StoreUnavailable) as error:
                await self._back_off(error)

    async def _lead(self) -> None:
        log.info("relay_leads", fencing=self._lease.fencing)
        try:
            await self._progress.lead(self._lease.fencing)
            async with self._open_publisher() as publisher:
                try:
                    await self._carry(publisher)
                except StartOver:
                    await self._begin_again_beyond(self._progress.checkpoint.ends)
                    raise
        finally:
            self._progress.stand_by()
            await self._release()

    async def _carry(self, publisher: Publisher) -> None:
        if not self._swept:
            await self._reapply_erasures(publisher)
        if self._progress.checkpoint.token is None:
            await self._publish_store(publisher)
        else:
            await self._compare(publisher)
        if not self._stopping.is_set():
            async with self._feed.open(self._progress.checkpoint.token) as changes:
                await self._follow(changes, publisher)

    async def _reapply_erasures(self, publisher: Publisher) -> None:
        """Before anything is published of who was erased and is back from an older copy."""
        sweeping = asyncio.create_task(self._sweep.run(publisher))
        try:
            while not sweeping.done() and not self._stopping.is_set():
                await self._lease.renew_if_due()
                await asyncio.wait({sweeping}, timeout=self._lease.retry_seconds)
            if sweeping.done():
                sweeping.result()
                self._swept = True
        finally:
            sweeping.cancel()

    async def _publish_store(self, publisher: Publisher) -> None:
        """Publish every commit. Consumers drop by version what they have seen.

        Again, while the topic began before a place that a consumer may have reached: it passes over
        what comes below that place.
        """
        read_up_to = self._progress.checkpoint.ends
        token = await self._beginning()
        try:
            began = await self._publish_every_commit(publisher)
            while not self._stopping.is_set() and self._fell_short(began, read_up_to):
                began = await self._publish_every_commit(publisher)
        except (KafkaError, StartOver):
            await self._begin_again_beyond(read_up_to)
            raise
        if self._stopping.is_set():
            await self._begin_again_beyond(read_up_to)
        else:
            self._progress.reach(token)
            await self._progress.save()

    async def _beginning(self) -> Document:
        """A token: every commit comes after it in the feed, or is found by a scan from now on."""
        async with self._feed.open(None) as now:
            token = now.token
        # The feed begins after all that the primary has written; a scan finds what a majority has.
        # A commit could be in neither, were it not for a write between them that waits for one.
        await self._progress.save()
        return token

    async def _begin_again_beyond(self, read_up_to: Ends) -> None:
        """Consumers may have read up to there, or to the end of what was published since, and pass
        over what comes below."""
        ends = self._progress.checkpoint.ends
        furthest = {part: max(end, ends.get(part, 0)) for part, end in read_up_to.items()}
        self._progress.begin_again({**ends, **furthest})
        await self._progress.save()

    def _fell_short(self, began: Ends, read_up_to: Ends) -> bool:
        """Whether some of what was just published lies where a consumer does not look."""
        grown = self._progress.checkpoint.ends
        return any(
            began.get(partition, 0) < end and began.get(partition, 0) < grown.get(partition, 0)
            for partition, end in read_up_to.items()
        )

    async def _publish_every_commit(self, publisher: Publisher) -> Ends:
        """Where the topic ended before. When the relay is asked to stop, it returns early."""
        began = await publisher.ends()
        log.info("relay_republishes_the_store")
        self._progress.begin_again(dict(began))
        async for commits in in_batches(self._store.scan(), self._feed.size):
            if self._stopping.is_set():
                break
            events = [event for commit in commits for event in commit.recorded_events()]
            await self._publish(events, len(commits), publisher)
        return began

    async def _follow(self, changes: OpenFeed, publisher: Publisher) -> None:
        looked_at = time.monotonic()
        while not self._stopping.is_set():
            batch = await changes.next_batch()
            if batch.commits:
                await self._publish(batch.events, batch.commits, publisher)
                self._progress.reach(batch.token)
                reached(FaultPoint.RELAY_BEFORE_TOKEN_SAVE)
                await self._progress.save()
            else:
                self._progress.reach(batch.token, caught_up=True)
                await self._lease.renew_if_due()
            if time.monotonic() - looked_at > IDLE_SECONDS:
                looked_at = time.monotonic()
                await self._compare(publisher)
                await self._progress.save()

    async def _publish(
        self, events: Sequence[RecordedEvent], commits: int, publisher: Publisher
    ) -> None:
        await self._lease.renew_if_due()
        erasures = [ErasureNotice.of(event) for event in events if event.type == ERASED]
        try:
            # Never beyond the lease: then another relay publishes.
            async with time_limit(self._lease.remaining_seconds):
                reached(FaultPoint.RELAY_BEFORE_SEND)
                await publisher.announce(erasures)
                acknowledged = await publisher.publish(events)
                reached(FaultPoint.RELAY_AFTER_ACK)
        except TimeoutError:
            raise LeaseLost("the broker did not acknowledge before the lease expired") from None
        lost = self._progress.advance(events, commits, acknowledged)
        if lost:
            raise _lost_records(lost[0])
        self._failures = 0

    async def _compare(self, publisher: Publisher) -> None:
        """Raises StartOver when the topic holds less than was acknowledged."""
        saved = self._progress.checkpoint.ends
        ends = await publisher.ends() if saved else {}
        for partition, end in saved.items():
            if ends.get(partition, 0) < end:
                raise _lost_records(partition)

    async def _release(self) -> None:
        try:
            await self._lease.release()
        except PyMongoError as error:
            log.warning("lease_not_released", error=type(error).__name__)

    async def _back_off(self, error: Exception) -> None:
        seconds = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        log.warning("relay_retries", error=type(error).__name__, reason=str(error), seconds=seconds)
        await self._pause(seconds)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def _lost_records(partition: int) -> StartOver:
    return StartOver(f"partition {partition} of the topic ends before the acknowledged offset")
