"""Running a process: one event loop, one HTTP application, a clean end on SIGTERM or SIGINT."""

import asyncio
import contextlib
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import uvicorn
import uvloop
from fastapi import FastAPI

from shared.http.connection_room import connection_room_of
from shared.http.connections import HEAD_SECONDS, bounded_protocol
from shared.http.stopping import begin_stopping

FINISH_SECONDS = 6
"""How long accepted requests may take after SIGTERM. Closing the stores comes after it, so that all
is over within the usual grace of 10 s."""

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
    app: FastAPI,
    host: str,
    port: int,
    head_seconds: float = HEAD_SECONDS,
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
            proxy_headers=False,  # who may say where callers come from: shared/http/proxies.py
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
