"""`python -m projection_worker`: keep the read models up to date."""

import asyncio
import sys

import structlog
from fastapi import FastAPI

from projection_worker.app import build_worker
from projection_worker.lag import Stalled
from shared.http.operations import operations_router
from shared.http.serving import run_process, serving
from shared.keyring.key_file import KeyFileRefused
from shared.observability.logs import configure_logs
from shared.settings import WorkerSettings, load_settings

log = structlog.get_logger(__name__)


async def work(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set; raises Stalled when the worker no longer gets on."""
    async with build_worker(settings) as worker:
        operations = FastAPI(title="Teddy projection worker", openapi_url=None)
        operations.include_router(operations_router(worker.readiness))
        async with serving(operations, settings.worker_host, settings.worker_port):
            await worker.app.start()
            failure = worker.projector.failure
            failure.add_done_callback(lambda _: stop.set())
            await stop.wait()
            await worker.app.stop()
        if failure.done():
            failure.result()


def main() -> int:
    settings = load_settings(WorkerSettings)
    configure_logs(settings, "worker")
    try:
        # Faust's timers and threads expect asyncio's own event loop.
        run_process(lambda stop: work(settings, stop), default_loop=True)
    except KeyFileRefused as error:
        print(f"worker: {error}", file=sys.stderr)
        return 2
    except Stalled as stalled:
        print(f"worker: {stalled}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
