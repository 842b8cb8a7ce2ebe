"""A mongod of a test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from deploy.local.plans import free_port, mongod_plan
from deploy.local.process import ProcessPlan
from deploy.local.readiness import mongo_url
from deploy.local.state import StackFolder
from tests.support.own_server import OwnServer


class OwnMongod(OwnServer):
    """A writable primary once it is started."""

    def __init__(self, plan: ProcessPlan) -> None:
        super().__init__(plan)
        self.url = mongo_url(plan.address)


@asynccontextmanager
async def own_mongod(folder: Path, *options: str) -> AsyncIterator[OwnMongod]:
    """Runs as long as the block, with `options` beside the usual ones; its data lie in `folder`."""
    plan = mongod_plan(StackFolder(folder), free_port(None))
    mongod = OwnMongod(replace(plan, command=(*plan.command, *options)))
    try:
        await mongod.start()
        yield mongod
    finally:
        await mongod.kill()
