"""A broker of a test's own: the one that the local stack runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.apache_kafka.node import Node
from deploy.local.brokers import choose_broker
from deploy.local.plans import free_port
from deploy.local.settings import LocalStackSettings
from deploy.local.state import StackFolder
from tests.support.own_server import OwnServer


@asynccontextmanager
async def own_kafka(path: Path) -> AsyncIterator[OwnServer]:
    """Runs as long as the block, without topics; its data lie in `path`."""
    folder = StackFolder(path)
    folder.create()
    port = free_port(None)
    node = Node(1, port, free_port(None, taken=[port]))
    broker = await choose_broker(LocalStackSettings(), print)
    kafka = OwnServer(broker.plan(folder, node, _nothing_to_restore))
    try:
        await kafka.start()
        yield kafka
    finally:
        await kafka.kill()


async def _nothing_to_restore() -> None:
    """Nobody restarts it but the test."""
