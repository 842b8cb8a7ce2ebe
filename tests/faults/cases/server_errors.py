"""Errors that MongoDB answers for a while, to look-ups, writes and commits: nobody's fault."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pymongo import AsyncMongoClient

from shared.mongo import Document
from shared.read_models.documents import Model
from shared.read_models.generations import live_generation
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild, life_goes_on
from tests.faults.world import World

CODES = (11601, 50, 262, 292, 13, 8000, 388)
"""Interrupted, out of time (twice), out of memory, not allowed (just now), Atlas, the cache is
full."""

TIMES = 3
STRUCK_SECONDS = 30


class DeadLetteredForNothing(Exception):
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
    async with _fail_points(world) as admin, life_goes_on(child):
        injected = [await _inject(admin, one.data(code)) for one in targets for code in CODES]
    await child.changes()
    await child.is_projected()
    if letters := await world.on.database["dead_letters"].count_documents({}):
        raise DeadLetteredForNothing(f"{letters} records are dead-lettered")
    return sum(injected)


async def _inject(admin: AsyncMongoClient[Document], data: Document) -> int:
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


CASES = tuple(
    Case(
        f"errors-from-{name}",
        f"MongoDB answers {TIMES} times each of {len(CODES)} transient errors to {what}",
        inject,
    )
    for name, what, inject in (
        ("the-read-store", "look-ups and writes of read models", _read_store),
        ("commits", "commits of transactions", _commits),
        ("the-event-store", "look-ups and appends of events", _event_store),
        ("the-key-store", "look-ups and inserts of keys", _key_store),
    )
)
