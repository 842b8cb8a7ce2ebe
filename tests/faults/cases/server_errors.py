"""Errors that MongoDB answers for a while, to look-ups, writes and commits: nobody's fault."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from pymongo import AsyncMongoClient

from shared.clock import new_id
from shared.mongo import Document
from shared.read_models.generations import live_generation
from shared.read_models.models import Model
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild
from tests.faults.world import World
from tests.support.consents import CONSENTS

CODES = (11601, 50, 262, 292, 13, 8000, 388)
"""Interrupted, out of time (twice), out of memory, not allowed (just now), Atlas, the cache is
full."""

TIMES = 3
STRUCK_SECONDS = 30
CHANGE_SECONDS = 0.1


class ParkedForNothing(Exception):
    """What passes was taken for a record's fault."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the server refuses: a command, on one collection or on all."""

    command: str
    collection: str | None = None

    def data(self, code: int) -> Document:
        place = {"namespace": self.collection} if self.collection else {}
        return {"failCommands": [self.command], "errorCode": code, "appName": "teddy", **place}


async def _read_store(world: World) -> int:
    children = (await live_generation(world.on.database)).collection_name(Model.CHILDREN)
    place = f"{world.on.settings.read_database}.{children}"
    return await _answers_errors(world, [Target("find", place), Target("update", place)])


async def _commits(world: World) -> int:
    return await _answers_errors(world, [Target("commitTransaction")])


async def _event_store(world: World) -> int:
    place = f"{world.on.settings.write_database}.commits"
    return await _answers_errors(world, [Target("find", place), Target("insert", place)])


async def _key_store(world: World) -> int:
    place = f"{world.on.settings.keys_database}.child_keys"
    return await _answers_errors(world, [Target("find", place), Target("insert", place)])


async def _answers_errors(world: World, targets: Sequence[Target]) -> int:
    """Each code TIMES times to each target; then everything is projected that was said meanwhile,
    and nobody was dead-lettered."""
    child = await OwnChild.registered(world)
    async with _fail_points(world) as admin, _life_goes_on(child):
        struck = [await _strike(admin, one.data(code)) for one in targets for code in CODES]
    await child.changes()
    await child.is_projected()
    if letters := await world.on.database["dead_letters"].count_documents({}):
        raise ParkedForNothing(f"{letters} records are dead-lettered")
    return sum(struck)


async def _strike(admin: AsyncMongoClient[Document], data: Document) -> int:
    point: Document = {"configureFailPoint": "failCommand"}
    before = await admin.admin.command({**point, "mode": {"times": TIMES}, "data": data})
    entered = before["count"] + TIMES
    wait = {"timesEntered": entered, "maxTimeMS": STRUCK_SECONDS * 1_000}
    await admin.admin.command({"waitForFailPoint": "failCommand", **wait})
    await admin.admin.command({**point, "mode": "off"})
    return TIMES


@asynccontextmanager
async def _fail_points(world: World) -> AsyncIterator["AsyncMongoClient[Document]"]:
    """A client that no fail point of a case meets; none is left behind the block."""
    url = world.state.environment["TEDDY_WRITE_MONGO_URL"]
    async with AsyncMongoClient[Document](url, appname="faults") as admin:
        try:
            yield admin
        finally:
            await admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


@asynccontextmanager
async def _life_goes_on(child: OwnChild) -> AsyncIterator[None]:
    """Commands to registered and new children as long as the block, so that every store is asked;
    they may be answered 503."""
    going = asyncio.create_task(_change_and_register(child))
    try:
        yield
    finally:
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)


async def _change_and_register(child: OwnChild) -> None:
    world = child.world
    async with world.as_parent(child.parent) as http:
        while True:
            change = {"preferences": {"note": new_id()}}
            await _sent(http, "PATCH", f"/v1/children/{child.child_id}/profile", change)
            body = {"name": "Mia", "age": 6, "udid": new_id(), "consents": CONSENTS}
            await _sent(http, "POST", "/v1/children", body)
            await asyncio.sleep(CHANGE_SECONDS)


async def _sent(http: httpx2.AsyncClient, method: str, path: str, body: Document) -> None:
    headers = {"Idempotency-Key": f"key-{new_id()}"}
    await http.request(method, path, json=body, headers=headers)


CASES = tuple(
    Case(
        f"errors-from-{name}",
        f"MongoDB answers {TIMES} times each of {len(CODES)} passing errors to {what}",
        inject,
    )
    for name, what, inject in (
        ("the-read-store", "look-ups and writes of read models", _read_store),
        ("commits", "commits of transactions", _commits),
        ("the-event-store", "look-ups and appends of events", _event_store),
        ("the-key-store", "look-ups and inserts of keys", _key_store),
    )
)
