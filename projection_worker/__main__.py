"""`python -m projection_worker`: keep the read models up to date."""

import asyncio
import os
import sys

import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from projection_worker.consuming.progress import Stalled
from projection_worker.main import Worker, build_worker
from projection_worker.settings import WorkerSettings
from shared.event_store.port import StoreUnavailable
from shared.garbage import tune_gc
from shared.http.edge import install_hardening
from shared.http.serving import operations_router, run_process, serving
from shared.http.settings import Exposure
from shared.keyring.key_file import KeyFileRefused
from shared.logs import configure_logs
from shared.settings import load_settings

log = structlog.get_logger(__name__)

STOP_SECONDS = 5.0
"""The broker may be gone for good: leaving its group is a courtesy, not a condition."""


class Crashed(Exception):
    """Something in the worker ended with an error that nobody expected; the log has it."""


async def work(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set; raises Stalled when the worker makes no progress, or Crashed."""
    async with build_worker(settings) as worker:
        operations = FastAPI(title="Teddy projection worker", openapi_url=None)
        operations.include_router(operations_router(worker.readiness))
        install_hardening(operations, Exposure())
        tune_gc()
        async with serving(operations, settings.worker_host, settings.worker_port):
            worker.failure.add_done_callback(lambda _: stop.set())
            await _run_app(worker, stop)
        if worker.failure.done():
            worker.failure.result()


async def _run_app(worker: Worker, stop: asyncio.Event) -> None:
    """Start the app and stop it when `stop` is set, also while it still looks for the broker.

    Raises Crashed: a process whose services have crashed looks alive and does nothing."""
    app = worker.app
    starting = asyncio.ensure_future(app.start())
    ending = {asyncio.create_task(stop.wait()), asyncio.create_task(app.wait_until_stopped())}
    await asyncio.wait({starting, *ending}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        worker.started.set()
    await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
    for task in (starting, *ending):
        task.cancel()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await app.stop()
    except TimeoutError:
        # What was not committed is read again, and dropped by version.
        log.warning("worker_did_not_stop_in_time", seconds=STOP_SECONDS)
    if app.crashed:
        raise Crashed(
            f"ended by an unexpected error, {type(app.crash_reason).__name__}; see its log"
        )


def main() -> int:
    settings = load_settings(WorkerSettings)
    configure_logs(settings, "worker")
    try:
        # Faust's timers and threads expect asyncio's own event loop.
        run_process(lambda stop: work(settings, stop), default_loop=True)
    except KeyFileRefused as error:
        print(f"worker: {error}", file=sys.stderr)
        return 2
    except (Stalled, Crashed, KafkaError, PyMongoError, StoreUnavailable) as error:
        print(f"worker: {error}", file=sys.stderr)
        return 1
    return 0


def leave(code: int) -> None:
    """End the process now: a thread of Faust's or Motor's that waits for a server which hangs would
    keep it for ever, and nobody would start another."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
