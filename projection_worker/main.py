"""Composition root of the worker: what it connects to, and the services of its Faust app."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import faust
import structlog
from prometheus_client import REGISTRY

from projection_worker.consuming.faust_app import faust_app
from projection_worker.consuming.health import WorkerWatch
from projection_worker.consuming.kafka_clients import NoticePublisher
from projection_worker.consuming.progress import Troubles, WorkerLag, WorkerMetrics
from projection_worker.consuming.projector_service import ProjectorService
from projection_worker.consuming.store_lag import StoreWatch
from projection_worker.dead_letters.store import DeadLetters, ensure_dead_letter_indexes
from projection_worker.notifications.wiring import notifications
from projection_worker.operations.works import operations_agent
from projection_worker.projecting.alerts import BeforeLive
from projection_worker.projecting.decoding import KEY_PATIENCE_SECONDS, EventSource, KeyPatience
from projection_worker.projecting.generations import KeptGenerations, ProjectorOf
from projection_worker.projecting.projector import Projector
from projection_worker.projecting.read_model_store import ReadModelStore
from projection_worker.projecting.removal import ErasedChildren
from projection_worker.projections import registry
from projection_worker.projections.rules import Rules
from projection_worker.session import Stores, open_stores
from projection_worker.settings import WorkerSettings
from shared.clock import utc_now
from shared.erasures import read_erasures
from shared.http.serving import DependencyCheck, Readiness
from shared.keyring.erased_list import MongoErasedList
from shared.mongo import Database
from shared.process_reports.documents import Figure, ProcessKind
from shared.process_reports.measures import Measures, buckets_of, total_of
from shared.process_reports.reporter import ProcessReporter
from shared.read_models.deliveries import ensure_delivery_indexes
from shared.read_models.generations import Generation, begin_catalog
from shared.read_models.indexes import ensure_read_model_indexes
from shared.tasks import in_background

log = structlog.get_logger(__name__)

DISPENSABLE = frozenset({"event_store"})
"""Records come from Kafka; of the store it reads what it lacks, and how far behind it is."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A Faust app that is ready to start, what fails when it is to end, and what it needs to be
    ready. `started` is to be set once the app is."""

    app: faust.App
    failure: asyncio.Future[None]
    readiness: Readiness
    started: asyncio.Event


class NotStartedYet(Exception):
    """The agents have no consumer yet."""


@asynccontextmanager
async def build_worker(settings: WorkerSettings) -> AsyncIterator[Worker]:
    """Connect and wire; everything is closed again behind the body."""
    async with open_stores(settings) as on:
        await prepare_read_models(on.database, settings.conversation_limit_minutes)
        generations = KeptGenerations(on.database, _projectors(on))
        watch = _watch(on, generations)
        projector = ProjectorService(
            generations, NoticePublisher(settings.kafka), _erased_children(on), settings, watch
        )
        with tempfile.TemporaryDirectory(prefix="teddy-worker-") as scratch:
            app = faust_app(settings, scratch)
            app.add_dependency(projector)
            async with (
                notifications(app, settings, on.read, on.database) as notifying,
                in_background(operations_agent(on).run()),
                _reporter(on, watch.lag).running(),
            ):
                started = asyncio.Event()
                readiness = Readiness(
                    {
                        "read_store": on.read.ping,
                        "key_store": on.keys.ping,
                        "kafka": _once(started, watch.check_kafka),
                        "event_store": on.write.ping,
                    },
                    lambda: {**watch.details(), **notifying.counted.report()},
                    watch.findings,
                    lambda: DISPENSABLE,
                )
                yield Worker(app, watch.failure, readiness, started)


def _once(started: asyncio.Event, check: DependencyCheck) -> DependencyCheck:
    async def checked() -> None:
        if not started.is_set():
            raise NotStartedYet
        await check()

    return checked


def _watch(on: Stores, generations: KeptGenerations) -> WorkerWatch:
    lag = WorkerLag(utc_now, on.settings.worker_stall_seconds)
    store_watch = StoreWatch(on.commits, on.database, lag.store)
    troubles, metrics = Troubles(utc_now), WorkerMetrics()
    return WorkerWatch(generations, on.settings, lag, troubles, metrics, store_watch)


def _reporter(on: Stores, lag: WorkerLag) -> ProcessReporter:
    def figures() -> dict[str, float]:
        return {Figure.LAG: float(lag.events), Figure.LAG_SECONDS: lag.report()["seconds"]}

    measures = Measures(
        done=partial(total_of, REGISTRY, "teddy_events_projected_total"),
        seconds=partial(buckets_of, REGISTRY, "teddy_projection_batch_seconds"),
        others=figures,
        partitions=lambda: lag.partitions,
    )
    return ProcessReporter(on.database, ProcessKind.WORKER, on.settings.worker_port, measures)


async def prepare_read_models(database: Database, limit: int) -> None:
    """What is missing of indexes and of the catalog is made. `limit`: of conversations, in minutes;
    read models that were begun with another one keep it, and that is logged."""
    await ensure_dead_letter_indexes(database)
    await ensure_delivery_indexes(database)
    catalog = await begin_catalog(database, registry.VERSION, limit)
    live = catalog.of(catalog.live)
    if live.conversation_limit_minutes != limit and live.projections == registry.VERSION:
        log.warning(
            "conversation_limit_needs_rebuild",
            generation=live.generation.number,
            minutes=live.conversation_limit_minutes,
            setting=limit,
        )
    for generation in catalog.written_by(registry.VERSION):
        await ensure_read_model_indexes(database, generation)


def _projectors(on: Stores) -> ProjectorOf:
    source = EventSource(on.store, on.keyring, on.index)
    patience = KeyPatience(KEY_PATIENCE_SECONDS)  # of all generations together

    def projector_of(
        generation: Generation, *, before_live: BeforeLive | None, rules: Rules
    ) -> Projector:
        read_models = ReadModelStore(on.read, on.database, generation, before_live=before_live)
        letters = DeadLetters(on.database, utc_now, generation)
        return Projector(read_models, source, letters, rules=rules, patience=patience)

    return projector_of


def _erased_children(on: Stores) -> ErasedChildren:
    return ErasedChildren(
        on.database,
        on.store,
        MongoErasedList(on.keys.database(on.settings.keys_database)),
        partial(read_erasures, on.settings.kafka),
        utc_now,
    )
