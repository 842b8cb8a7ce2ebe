"""Running a process: one event loop, one HTTP application, health and metrics, a clean end."""

import asyncio
import contextlib
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
import uvicorn
import uvloop
from fastapi import APIRouter, FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from shared.http.admission import begin_stopping, is_stopping
from shared.http.connection_room import connection_room_of
from shared.http.connections import HEAD_SECONDS, bounded_protocol

CHECK_SECONDS = 1.5

log = structlog.get_logger(__name__)

DependencyCheck = Callable[[], Awaitable[None]]
"""Returns when the dependency answers; raises when it does not."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a process needs to do its work.

    `details`: more for the answer, e.g. `{"lag": {"events": 0, "seconds": 0.0}}`. `findings`: why
    the process does not do its work though all answer, one line each. `dispensable`: dependencies
    without which, as things are, it does less, and is ready all the same.
    """

    dependencies: Mapping[str, DependencyCheck]
    details: Callable[[], Mapping[str, Any]] = dict
    findings: Callable[[], Sequence[str]] = tuple
    dispensable: Callable[[], frozenset[str]] = frozenset

    async def report(self) -> dict[str, Any]:
        """`{"status": "ready" | "not_ready", "dependencies": {name: "up" | "down"}, ...}`, with
        `findings` if there are any, and in `degraded` the dispensable dependencies that are down.
        """
        names = list(self.dependencies)
        states = await asyncio.gather(*(_state(name, self.dependencies[name]) for name in names))
        dependencies = dict(zip(names, states, strict=True))
        down = {name for name, state in dependencies.items() if state == "down"}
        findings, dispensable = list(self.findings()), self.dispensable()
        degraded = sorted(down & dispensable)
        ready = not findings and down <= dispensable
        return {
            "status": "ready" if ready else "not_ready",
            "dependencies": dependencies,
            **({"findings": findings} if findings else {}),
            **({"degraded": degraded} if degraded else {}),
            **self.details(),
        }


def operations_router(readiness: Readiness, registry: CollectorRegistry = REGISTRY) -> APIRouter:
    """`/health/live`, `/health/ready` (503 while a dependency is down, and from SIGTERM on),
    `/metrics`."""
    router = APIRouter(tags=["operations"])

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """Whether the process runs; what it needs is not asked."""
        return {"status": "live"}

    @router.get("/health/ready", responses={503: {"description": "Not ready, or shutting down."}})
    async def ready(request: Request) -> Response:
        """Whether the process does its work, and which of what it needs answers."""
        if is_stopping(request.app):
            return JSONResponse({"status": "stopping"}, 503)
        report = await readiness.report()
        return JSONResponse(report, 200 if report["status"] == "ready" else 503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """In the text format of Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


async def _state(name: str, check: DependencyCheck) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the dependency is down
        log.warning("dependency_down", dependency=name, error=type(error).__name__)
        return "down"
    return "up"


FINISH_SECONDS = 6
"""How long accepted requests may take after SIGTERM. Closing the stores comes after it, so that all
is over within the usual grace of 10 s."""

IDLE_SECONDS = 150
"""How long a connection without a request is kept, unless there is need of room: longer than usual
clients and proxies keep one (5 s to 2 min), so that they close it and not the server, just when the
next request is on its way."""

MOST_OPEN_FILES = 65_536

Main = Callable[[asyncio.Event], Awaitable[None]]
"""A process's work; it ends when the event is set."""


class _Server(uvicorn.Server):
    """A server that leaves signals to the process, so that its other parts end in order too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run_process(main: Main, *, default_loop: bool = False) -> None:
    """Run `main` until it ends; SIGTERM and SIGINT set its event.

    `default_loop`: asyncio's own event loop instead of uvloop.
    """
    open_more_files()
    factory = None if default_loop else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_with_signals(main))


def open_more_files() -> None:
    """As many as the system lets this process open, without asking anybody. The usual 1,024 are
    fewer than a burst of connections that are accepted only to be refused, and then none is left
    for the stores."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def serve(app: FastAPI, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve `app` until `stop` is set; requests that were accepted are finished first."""
    async with serving(app, host, port):
        await stop.wait()


@contextlib.asynccontextmanager
async def serving(
    app: FastAPI, host: str, port: int, head_seconds: float = HEAD_SECONDS
) -> AsyncIterator[None]:
    """Serve `app` beside the body; after it, take nothing new and finish what was accepted."""
    server = _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=bounded_protocol(connection_room_of(app), head_seconds),
            ws="none",  # an upgrade would leave the bounds of this protocol
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # see shared/http/request_context.py
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=FINISH_SECONDS,
        )
    )
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        begin_stopping(app)
        server.should_exit = True
        await task


async def _with_signals(main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await main(stop)
