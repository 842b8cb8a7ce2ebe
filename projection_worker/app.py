"""Composition root of the worker: the Faust app, its projector service, its agents."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import faust
import structlog

from projection_worker.agents.alerts import AlertIntake, register_alerts
from projection_worker.before_live import BeforeLive
from projection_worker.dead_letter import DeadLetters, ensure_dead_letter_indexes
from projection_worker.erased_children import ErasedChildren
from projection_worker.kept_generations import KeptGenerations, ProjectorOf
from projection_worker.key_patience import KEY_PATIENCE_SECONDS, KeyPatience
from projection_worker.lag import WorkerLag
from projection_worker.metrics import WorkerMetrics
from projection_worker.notifications.wiring import notifications
from projection_worker.notifier import METADATA_MS, Notifier
from projection_worker.paced_transport import pace
from projection_worker.projections import registry
from projection_worker.projections.rules import Rules
from projection_worker.projector import Projector
from projection_worker.projector_service import ProjectorService
from projection_worker.read_model_store import ReadModelStore
from projection_worker.store_lag import StoreWatch
from projection_worker.troubles import Troubles
from projection_worker.worker_watch import WorkerWatch
from shared.clock import utc_now
from shared.erasures.topic import read_erasures
from shared.event_store.mongo import MongoEventStore
from shared.http.operations import DependencyCheck, Readiness
from shared.kafka import KafkaServers
from shared.keyring.key_file import read_key_file
from shared.keyring.keyring import Keyring
from shared.keyring.mongo_erased_list import MongoErasedList
from shared.keyring.mongo_key_store import MongoKeyStore
from shared.keyring.search_index import SearchIndex
from shared.keyring.watched_key_file import WatchedKeyFile
from shared.mongo import Database, Mongo
from shared.read_models.deliveries import ensure_delivery_indexes
from shared.read_models.generations import Generation, begin_catalog
from shared.read_models.indexes import ensure_read_model_indexes
from shared.settings import WorkerSettings

log = structlog.get_logger(__name__)

APP_ID = "teddy-worker"
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
    read = Mongo(settings.read_mongo_url, settings.mongo_driver)
    write = Mongo(settings.write_mongo_url, settings.mongo_driver)
    keys = Mongo(settings.keys_mongo_url, settings.mongo_driver)
    database = read.database(settings.read_database)
    await prepare_read_models(database, settings.conversation_limit_minutes)
    generations = KeptGenerations(database, _projectors(settings, read, database, write, keys))
    watch = _watch(settings, generations, write, database)
    projector = ProjectorService(
        generations,
        Notifier(settings.kafka),
        _erased_children(settings, database, write, keys),
        settings,
        watch,
    )
    async with (
        notifications(settings, read, database) as told,
        _temporary_directory() as scratch,
    ):
        app = _faust_app(settings, scratch)
        app.add_dependency(projector)
        app.add_dependency(told.service)
        register_alerts(app, AlertIntake(told.store, told.lanes, told.settled), told.metrics)
        started = asyncio.Event()
        checks: dict[str, DependencyCheck] = {
            "read_store": read.ping,
            "key_store": keys.ping,
            "kafka": _once(started, watch.check_kafka),
            "event_store": write.ping,
        }
        readiness = Readiness(
            checks,
            lambda: {**watch.details(), **told.service.counted.report()},
            watch.findings,
            lambda: DISPENSABLE,
        )
        yield Worker(app, watch.failure, readiness, started)
    for mongo in (read, write, keys):
        await mongo.close()


def _once(started: asyncio.Event, check: DependencyCheck) -> DependencyCheck:
    async def checked() -> None:
        if not started.is_set():
            raise NotStartedYet
        await check()

    return checked


def _watch(
    settings: WorkerSettings, generations: KeptGenerations, write: Mongo, database: Database
) -> WorkerWatch:
    lag = WorkerLag(utc_now, settings.worker_stall_seconds)
    store_watch = StoreWatch(write.database(settings.write_database), database, lag.store)
    troubles, metrics = Troubles(utc_now), WorkerMetrics()
    return WorkerWatch(generations, settings, lag, troubles, metrics, store_watch)


async def prepare_read_models(database: Database, limit: int) -> None:
    """What is missing of indexes and of the catalog is made. `limit`: of conversations, in minutes;
    read models that were begun with another one keep it, and that is logged."""
    await ensure_dead_letter_indexes(database)
    await ensure_delivery_indexes(database)
    catalog = await begin_catalog(database, registry.VERSION, limit)
    live = catalog.of(catalog.live)
    if live.conversation_limit_minutes != limit and live.projections == registry.VERSION:
        log.warning(
            "conversation_limit_waits_for_a_rebuild",
            generation=live.generation.number,
            minutes=live.conversation_limit_minutes,
            setting=limit,
        )
    for generation in catalog.written_by(registry.VERSION):
        await ensure_read_model_indexes(database, generation)


def _projectors(
    settings: WorkerSettings, read: Mongo, database: Database, write: Mongo, keys: Mongo
) -> ProjectorOf:
    key_file = read_key_file(settings.key_file)
    key_store = MongoKeyStore(keys.database(settings.keys_database))
    store = MongoEventStore(write.database(settings.write_database))
    keyring = Keyring(WatchedKeyFile(settings.key_file), key_store, settings.keyring_cache_size)
    index = SearchIndex(key_file.index_key)
    patience = KeyPatience(KEY_PATIENCE_SECONDS)  # of all generations together

    def projector_of(
        generation: Generation, *, before_live: BeforeLive | None, rules: Rules
    ) -> Projector:
        read_models = ReadModelStore(read, database, generation, before_live=before_live)
        letters = DeadLetters(database, utc_now, generation)
        return Projector(
            read_models, store, keyring, index, letters, rules=rules, patience=patience
        )

    return projector_of


def _erased_children(
    settings: WorkerSettings, database: Database, write: Mongo, keys: Mongo
) -> ErasedChildren:
    return ErasedChildren(
        database,
        MongoEventStore(write.database(settings.write_database)),
        MongoErasedList(keys.database(settings.keys_database)),
        partial(read_erasures, settings.kafka),
        utc_now,
    )


@asynccontextmanager
async def _temporary_directory() -> AsyncIterator[str]:
    """Faust wants a folder; nothing of this worker's state is kept in it."""
    with tempfile.TemporaryDirectory(prefix="teddy-worker-") as path:
        yield path


def _faust_app(settings: WorkerSettings, scratch: str) -> faust.App:
    app = faust.App(
        APP_ID,
        broker=f"kafka://{settings.kafka_bootstrap.replace(',', ';kafka://')}",
        broker_credentials=credentials_of(settings.kafka),
        value_serializer="raw",
        store="memory://",
        datadir=scratch,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        table_standby_replicas=0,
        worker_redirect_stdouts=False,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.worker_instance_id or "",
        broker_session_timeout=settings.worker_session_timeout_seconds,
        broker_heartbeat_interval=settings.worker_session_timeout_seconds / 3,
        consumer_metadata_max_age_ms=METADATA_MS,
        producer_metadata_max_age_ms=METADATA_MS,
    )
    if not settings.kafka_long_polling:
        pace(app)
    return app


def credentials_of(kafka: KafkaServers) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """How Faust is let in: as every other client."""
    if kafka.security.startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka.user,
            password=kafka.password,
            ssl_context=kafka.tls(),
            mechanism=kafka.mechanism,
        )
    context = kafka.tls()
    return None if context is None else faust.SSLCredentials(context)
