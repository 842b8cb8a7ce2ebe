"""`python -m command_service.relay`: settings, ports, signals."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI
from prometheus_client import Gauge

from command_service.erasure import ErasureCompletion, ErasureSweep
from command_service.relay.commit_feed import CommitFeed
from command_service.relay.progress import LEASE, Checkpoints, Progress
from command_service.relay.publisher import open_publisher, reach_broker
from command_service.relay.relay import Relay
from command_service.settings import RelaySettings
from shared.clock import new_id, utc_now
from shared.erasures import read_erasures
from shared.event_store.mongo import MongoEventStore
from shared.event_store.mongo_claims import MongoClaimStore
from shared.event_store.mongo_snapshots import MongoSnapshotStore
from shared.garbage import tune_gc
from shared.http.edge import install_hardening
from shared.http.serving import Readiness, operations_router, run_process, serving
from shared.http.settings import Exposure
from shared.kafka import CHILD_EVENTS
from shared.keyring.erased_list import MongoErasedList
from shared.keyring.key_store import MongoKeyStore
from shared.lease import Lease
from shared.logs import configure_logs
from shared.mongo import Database, Mongo
from shared.process_reports.documents import Figure, ProcessKind
from shared.process_reports.measures import Measures
from shared.process_reports.reporter import ProcessReporter
from shared.settings import load_settings
from shared.tasks import in_background

STOP_SECONDS = 2.0
"""How long the batch in flight may take to end after SIGTERM."""


def main() -> None:
    settings = load_settings(RelaySettings)
    configure_logs(settings, "relay")
    run_process(partial(run, settings))


async def run(settings: RelaySettings, stop: asyncio.Event) -> None:
    """Relay until `stop` is set."""
    mongo = Mongo(settings.write_mongo_url, settings.mongo_driver)
    keys = Mongo(settings.keys_mongo_url, settings.mongo_driver)
    database = mongo.database(settings.write_database)
    progress = Progress(database, Checkpoints(database), utc_now)
    relay = Relay(
        Lease(database, LEASE, new_id(), settings.relay_lease_seconds),
        progress,
        CommitFeed(mongo, database, settings.relay_batch),
        MongoEventStore(database),
        partial(open_publisher, settings.kafka, CHILD_EVENTS.name),
        _sweep(settings, database, keys.database(settings.keys_database)),
    )
    _expose(progress)
    app = _operations(settings, mongo, progress)
    tune_gc()
    async with serving(app, settings.relay_host, settings.relay_port):
        reporter = _reporter(settings, database, progress)
        async with in_background(progress.watch_store()), reporter.running():
            await _relay_until(stop, relay)
    await mongo.close()
    await keys.close()


def _sweep(settings: RelaySettings, database: Database, keys: Database) -> ErasureSweep:
    events = MongoEventStore(database)
    completion = ErasureCompletion(
        MongoErasedList(keys),
        MongoKeyStore(keys),
        MongoClaimStore(database),
        MongoSnapshotStore(database),
        events,
        utc_now,
    )
    read = partial(read_erasures, settings.kafka)
    return ErasureSweep(events, completion, read, utc_now, new_id)


async def _relay_until(stop: asyncio.Event, relay: Relay) -> None:
    relaying = asyncio.create_task(relay.run())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({relaying, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    relay.stop()
    await asyncio.wait({relaying}, timeout=STOP_SECONDS)
    relaying.cancel()
    await asyncio.wait({relaying})
    if not relaying.cancelled():
        relaying.result()


def _operations(settings: RelaySettings, mongo: Mongo, progress: Progress) -> FastAPI:
    def details() -> dict[str, Any]:
        lag = {"events": progress.lag_events, "seconds": round(progress.lag_seconds, 3)}
        return {"lag": lag, "leader": progress.leading}

    reach_kafka = partial(reach_broker, settings.kafka)
    app = FastAPI(title="Teddy relay", openapi_url=None, redirect_slashes=False)
    app.include_router(
        operations_router(Readiness({"event_store": mongo.ping, "kafka": reach_kafka}, details))
    )
    install_hardening(app, Exposure())
    return app


def _reporter(settings: RelaySettings, database: Database, progress: Progress) -> ProcessReporter:
    """A stand-by knows how far its leader is, and does nothing of it."""

    def figures() -> dict[str, float]:
        return {
            Figure.LAG: float(progress.lag_events),
            Figure.LAG_SECONDS: progress.lag_seconds,
            Figure.LEADS: float(progress.leading),
        }

    measures = Measures(
        done=lambda: progress.checkpoint.events if progress.leading else None, others=figures
    )
    return ProcessReporter(database, ProcessKind.RELAY, settings.relay_port, measures)


def _expose(progress: Progress) -> None:
    """Make the relay's numbers metrics."""

    def expose(name: str, meaning: str, value: Callable[[], float]) -> None:
        Gauge(name, meaning).set_function(value)

    expose(
        "teddy_relay_lag_events", "Committed events not published yet.", lambda: progress.lag_events
    )
    about_lag = "Age of the oldest unpublished commit, in seconds."
    expose("teddy_relay_lag_seconds", about_lag, lambda: progress.lag_seconds)
    expose("teddy_relay_leader", "1 while this relay publishes.", lambda: progress.leading)
    expose("teddy_relay_events", "Events published.", lambda: progress.checkpoint.events)


if __name__ == "__main__":
    main()
