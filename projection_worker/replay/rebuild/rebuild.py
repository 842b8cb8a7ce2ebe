"""Leads a rebuild: plans it, has it built and verified, moves the queries. At most one at a time.

Every step can be killed and done again. What is done stands in the ledger and in the catalog."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

from projection_worker.consuming.kafka_clients import open_consumer
from projection_worker.dead_letters.store import DeadLetters
from projection_worker.projecting.generations import (
    consumer_group,
    limit_of_rebuild,
)
from projection_worker.projections import registry
from projection_worker.replay.rebuild.cutover import (
    Cutover,
    NotCaughtUp,
    carry_deliveries,
    carry_undelivered,
)
from projection_worker.replay.rebuild.ledger import Done, Ledger, Plan, Source
from projection_worker.replay.rebuild.processes import BUILD, VERIFY, run_processes
from projection_worker.replay.rebuild.slices import slices_of_store, slices_of_topic
from projection_worker.replay.verify.comparison import compared_counters
from projection_worker.session import Failed, Refused, Stores
from shared.clock import new_id, utc_now
from shared.fault_points import FaultPoint, reached
from shared.kafka import CHILD_EVENTS, partitions_of
from shared.lease import Lease, while_held
from shared.mongo import Database
from shared.read_models.deliveries import NOTIFIED_WITHIN
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import Catalog, begin_catalog, read_catalog
from shared.read_models.heartbeats import SEEN_SECONDS, Heartbeats

Result = TypeVar("Result")

LEASE = "rebuild"
LEASE_SECONDS = 10.0


class AnotherRebuild(Refused):
    """A rebuild is at work; this one did nothing."""


async def lead(
    database: Database, work: Callable[[], Coroutine[Any, Any, Result]], wait_seconds: float = 0.0
) -> Result:
    """Do `work` while nobody else leads a rebuild; `wait_seconds`: how long the lease of one that
    was killed may take to run out. Raises AnotherRebuild, LeaseLost or what `work` raises."""
    lease = Lease(database, LEASE, new_id(), LEASE_SECONDS)
    deadline = time.monotonic() + wait_seconds
    while not await lease.acquire():
        if time.monotonic() > deadline:
            raise AnotherRebuild("another rebuild is running; see `teddy replay status`")
        await asyncio.sleep(lease.retry_seconds / 4)
    try:
        return await while_held(lease, work())
    finally:
        await lease.release()


class Phase(StrEnum):
    PLAN = "plan"
    BUILD = "build"
    VERIFY = "verify"
    FLIP = "flip"
    DONE = "done"


class RebuildRefused(Refused):
    """As things are it cannot begin; nothing was touched."""


class RebuildFailed(Failed):
    """The new generation is not fit to be live. It stays beside the live one."""


class Rebuild:
    """`rate`: most events a second of all `workers` together, None for no limit."""

    def __init__(self, on: Stores, workers: int, rate: float | None) -> None:
        self._on = on
        self._workers = workers
        self._rate = rate
        self.ledger = Ledger(on.database)
        self.cutover = Cutover(on.database)
        self.plan: Plan | None = None
        self.phase = Phase.PLAN
        self.conversation_limit_minutes: int | None = None
        """Of the new generation, once it is built."""

    async def begin(self, models: frozenset[Model], source: Source) -> None:
        """Make the next generation known to the workers, then fill it. Raises RebuildRefused."""
        limit = self._on.settings.conversation_limit_minutes
        catalog = await begin_catalog(self._on.database, registry.VERSION, limit)
        if catalog.unfinished is not None:
            number = catalog.unfinished.generation.number
            raise RebuildRefused(
                f"generation {number} is unfinished: continue with --resume, or drop it with "
                "`teddy replay drop-old --unfinished`"
            )
        live = catalog.of(catalog.live)
        if models != ALL_MODELS and live.projections != registry.VERSION:
            raise RebuildRefused(
                f"generation {live.generation.number} is of projections {live.projections}, this "
                f"program of {registry.VERSION}: none of its models can be copied, rebuild "
                "them all"
            )
        generation = await self.cutover.next_generation(catalog)
        self.plan = Plan(generation, registry.VERSION, source, models, utc_now())
        await self.ledger.begin(self.plan)
        if not catalog.written_by(registry.VERSION):
            await self._place_new_workers()
        await self.cutover.begin(catalog, self.plan, limit_of_rebuild(models, live, limit))
        await self._carry_out(self.plan)

    async def resume(self) -> None:
        """Go on with what was begun. Raises RebuildRefused when there is nothing."""
        catalog = await read_catalog(self._on.database)
        if catalog.unfinished is None:
            raise RebuildRefused(
                f"nothing to resume: generation {catalog.live.number} is live, none is unfinished"
            )
        self.plan = await self.ledger.plan(catalog.unfinished.generation)
        if self.plan is None or self.plan.projections != registry.VERSION:
            raise RebuildRefused(
                f"generation {catalog.unfinished.generation.number} is of projections "
                f"{catalog.unfinished.projections}, this program of {registry.VERSION}"
            )
        await self._carry_out(self.plan)

    async def _carry_out(self, plan: Plan) -> None:
        await self._cut(plan)
        self.phase = Phase.BUILD
        await run_processes(BUILD, plan.generation.number, self._workers, self._rate)
        catalog = await read_catalog(self._on.database)
        kept = catalog.of(plan.generation)
        self.conversation_limit_minutes = kept.conversation_limit_minutes
        await carry_deliveries(self._on.database, catalog.live, plan.generation)
        newest = utc_now() - NOTIFIED_WITHIN
        await carry_undelivered(self._on.database, catalog.live, plan.generation, newest)
        self.phase = Phase.VERIFY
        await run_processes(VERIFY, plan.generation.number, self._workers, self._rate)
        await self._require_sound(plan, catalog)
        self.phase = Phase.FLIP
        reached(FaultPoint.REBUILD_BEFORE_FLIP)
        await self.cutover.flip(catalog, plan.generation)
        reached(FaultPoint.REBUILD_AFTER_FLIP)
        self.phase = Phase.DONE

    async def _cut(self, plan: Plan) -> None:
        if await self.ledger.is_cut(plan.generation):
            return
        slices = await slices_of_store(self._on.commits, plan.generation)
        if plan.source is Source.KAFKA:
            slices = [replace(one, done=Done.BUILT) for one in slices]  # only to be verified
            slices += await slices_of_topic(self._on.settings.kafka, plan.generation)
        await self.ledger.cut(plan.generation, slices)

    async def _require_sound(self, plan: Plan, catalog: Catalog) -> None:
        """What the verification of slices cannot see: totals, dead-lettered children, workers."""
        on, generation = self._on, plan.generation
        counters = await compared_counters(on.read, on.database, generation)
        if differing := {name: both for name, both in counters.items() if both[0] != both[1]}:
            raise RebuildFailed(f"counters differ from the sum over all children: {differing}")
        new = await DeadLetters(on.database, utc_now, generation).all_dead_lettered()
        live = await DeadLetters(on.database, utc_now, catalog.live).all_dead_lettered()
        worse = sorted(set(new) - set(live))
        if worse:
            raise RebuildFailed(
                f"{len(worse)} children of the live generation cannot be folded, first {worse[0]}: "
                f"{new[worse[0]]}"
            )
        same = catalog.of(catalog.live).projections == plan.projections
        if not same and not await Heartbeats(on.database).present(plan.projections):
            raise NotCaughtUp(
                f"no worker of projections {plan.projections} was seen in the last "
                f"{SEEN_SECONDS} s: start one, then continue with --resume"
            )

    async def _place_new_workers(self) -> None:
        """Workers of a version that has none yet begin at the end of the topic: what came before is
        in the event store, from which the generation is built."""
        settings = self._on.settings
        async with open_consumer(settings.kafka, group_id=consumer_group(settings)) as consumer:
            places = await partitions_of(consumer, CHILD_EVENTS.name)
            consumer.assign(places)
            await consumer.commit(await consumer.end_offsets(places))
