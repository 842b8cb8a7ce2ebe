"""`python -m command_service.relay`: settings, ports, signals."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from prometheus_client import Gauge

from command_service.relay.checkpoint import Checkpoints
from command_service.relay.commit_feed import CommitFeed
from command_service.relay.lease import Lease
from command_service.relay.progress import Progress
from command_service.relay.publisher import open_publisher, reach_broker
from command_service.relay.relay import Relay
from shared.clock import new_id, utc_now
from shared.event_store.mongo import MongoEventStore
from shared.http.operations import Readiness, operations_router
from shared.mongo import Mongo
from shared.observability.logs import configure_logs
from shared.settings import RelaySettings, load_settings
from shared.topics import CHILD_EVENTS

STOP_SECONDS = 2.0
"""How long the batch in flight may take to end after SIGTERM."""


class _Server(uvicorn.Server):
    """Serves beside the relay, which has the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    settings = load_settings(RelaySettings)
    configure_logs(settings, "relay")
    asyncio.run(run(settings))


async def run(settings: RelaySettings) -> None:
    """Relay until SIGTERM or SIGINT."""
    mongo = Mongo(settings.write_mongo_url, settings.mongo_driver)
    database = mongo.database(settings.write_database)
    progress = Progress(database, Checkpoints(database), utc_now)
    relay = Relay(
        Lease(database, "relay", new_id(), settings.relay_lease_seconds),
        progress,
        CommitFeed(mongo, database, settings.relay_batch),
        MongoEventStore(database),
        partial(open_publisher, settings.kafka_bootstrap, CHILD_EVENTS.name),
    )
    _expose(progress)
    server = _server(settings, mongo, progress)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        watching = tasks.create_task(progress.watch_store())
        await _until_stopped(relay)
        server.should_exit = True
        watching.cancel()
    await mongo.close()


async def _until_stopped(relay: Relay) -> None:
    loop = asyncio.get_running_loop()
    relaying = asyncio.create_task(relay.run())

    def stop() -> None:
        relay.stop()
        loop.call_later(STOP_SECONDS, relaying.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await asyncio.wait({relaying})
    if not relaying.cancelled():
        relaying.result()


def _server(settings: RelaySettings, mongo: Mongo, progress: Progress) -> _Server:
    def details() -> dict[str, Any]:
        lag = {"events": progress.lag_events, "seconds": round(progress.lag_seconds, 3)}
        return {"lag": lag, "leader": progress.leading}

    reach_kafka = partial(reach_broker, settings.kafka_bootstrap)
    app = FastAPI(title="Teddy relay", openapi_url=None)
    app.include_router(
        operations_router(Readiness({"event_store": mongo.ping, "kafka": reach_kafka}, details))
    )
    config = uvicorn.Config(
        app,
        settings.relay_host,
        settings.relay_port,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


def _expose(progress: Progress) -> None:
    """Make the relay's numbers metrics."""
    gauges: dict[str, tuple[str, Callable[[], float]]] = {
        "teddy_relay_lag_events": ("Events behind.", lambda: progress.lag_events),
        "teddy_relay_lag_seconds": ("Seconds behind.", lambda: progress.lag_seconds),
        "teddy_relay_leader": ("1 while this relay publishes.", lambda: progress.leading),
        "teddy_relay_events": ("Events published.", lambda: progress.checkpoint.events),
    }
    for name, (meaning, value) in gauges.items():
        Gauge(name, meaning).set_function(value)


if __name__ == "__main__":
    main()
