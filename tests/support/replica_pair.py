"""A primary and a secondary of MongoDB. While the secondary is frozen, no write has a majority."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo

from deploy.local.plans import free_port, mongod_plan
from deploy.local.state import StackFolder
from tests.support.own_mongod import OwnMongod, own_mongod
from tests.support.own_server import READY_SECONDS
from tests.support.waiting import until

SECONDARY = 2


@dataclass(frozen=True, slots=True)
class ReplicaPair:
    url: str
    secondary: OwnMongod


@asynccontextmanager
async def replica_pair(folder: Path) -> AsyncIterator[ReplicaPair]:
    """Runs as long as the block; its data lie in `folder`."""
    secondary = OwnMongod(mongod_plan(StackFolder(folder / "secondary"), free_port(None)))
    async with own_mongod(folder / "primary") as primary:
        try:
            await secondary.spawn()
            with pymongo.MongoClient[dict[str, Any]](primary.url) as client:
                await asyncio.to_thread(_add, client, secondary.address)
                await until(lambda: _state(client) == SECONDARY, READY_SECONDS)
            yield ReplicaPair(primary.url, secondary)
        finally:
            await secondary.kill()


def _add(client: pymongo.MongoClient[dict[str, Any]], address: str) -> None:
    config = client.admin.command("replSetGetConfig")["config"]
    # it never leads: a test that freezes it knows who does
    config["members"].append({"_id": 1, "host": address, "priority": 0})
    config["version"] += 1
    client.admin.command("replSetReconfig", config)


def _state(client: pymongo.MongoClient[dict[str, Any]]) -> int:
    members = client.admin.command("replSetGetStatus")["members"]
    return next(int(member["state"]) for member in members if member["_id"] == 1)
