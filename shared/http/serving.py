"""Running a process: one event loop, one HTTP application, a clean end on SIGTERM or SIGINT."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import uvicorn
import uvloop
from fastapi import FastAPI

GRACE_SECONDS = 10

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
    factory = None if default_loop else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_with_signals(main))


async def serve(app: FastAPI, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve `app` until `stop` is set; requests that were accepted are finished first."""
    async with serving(app, host, port):
        await stop.wait()


@contextlib.asynccontextmanager
async def serving(app: FastAPI, host: str, port: int) -> AsyncIterator[None]:
    """Serve `app` beside the body."""
    server = _Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def _with_signals(main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await main(stop)
