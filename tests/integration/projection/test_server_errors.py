"""What a server answers, and whose fault it is: of a document, of nobody for long."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import bson
import pytest
import pytest_asyncio

from projection_worker.consuming.persistence import PASSING
from projection_worker.projecting.projector import Projected
from projection_worker.projecting.read_model_store import ReadModelStore
from projection_worker.projecting.unstorable import UnstorableDocument
from projection_worker.records import Delivered
from projection_worker.replay.histories import streams
from projection_worker.replay.rebuild.children import WholeChildren, Written
from projection_worker.replay.rebuild.slices import patiently
from shared.events.child import ChildEvent, Severity
from shared.mongo import Driver, Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from shared.read_models.indexes import count_dead_lettered, ensure_read_model_indexes
from tests.support.own_servers import OwnMongod, own_mongod
from tests.support.projection_facts import MIA, registered, reported, started, updated
from tests.support.projection_side import GENERATION, ProjectionSide

PASSING_CODES = [11601, 50, 262, 292, 13, 8000, 388]
"""Interrupted, out of time, out of memory, not allowed (just now), Atlas, the cache is full."""

MOST_BYTES = 16 * 1_024 * 1_024
"""Of a document in MongoDB."""

CHILDREN = ["anna", "ben", "cleo", "dora", "emil"]


@pytest_asyncio.fixture(scope="module")
async def mongod(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnMongod]:
    folder: Path = tmp_path_factory.mktemp("mongod")
    async with own_mongod(folder, "--setParameter", "enableTestCommands=1") as mongod:
        yield mongod


@asynccontextmanager
async def a_side(mongod: OwnMongod, name: str, driver: Driver) -> AsyncIterator[ProjectionSide]:
    mongo = Mongo(mongod.url, driver)
    database = mongo.database(name)
    await ensure_read_model_indexes(database, GENERATION)
    try:
        yield ProjectionSide(mongo, database)
    finally:
        await mongo.close()


async def fail(side: ProjectionSide, command: str, code: int, times: int) -> None:
    """Let the server answer the next commands of this kind with an error."""
    admin = side.mongo.database("admin")
    data = {"failCommands": [command], "errorCode": code, "appName": "teddy"}
    await admin.command(
        {"configureFailPoint": "failCommand", "mode": {"times": times}, "data": data}
    )


async def as_a_worker(side: ProjectionSide, batch: Sequence[Delivered]) -> tuple[Projected, int]:
    """What a batch came to at last, and how often it was in vain, as the projector's service."""
    failures = 0
    while True:
        try:
            return await side.project(batch), failures
        except PASSING:
            failures += 1


@pytest.mark.parametrize("command", ["find", "update", "insert", "commitTransaction"])
@pytest.mark.parametrize("code", PASSING_CODES)
async def test_what_passes_dead_letters_nobody(mongod: OwnMongod, code: int, command: str) -> None:
    async with a_side(mongod, f"passing-{code}-{command}", "motor") as side:
        # given
        batch = await side.happened(*_of_all(registered()), *_of_all(reported(1, Severity.HIGH)))
        await fail(side, command, code, times=12)
        # when
        projected, failures = await as_a_worker(side, batch)
        # then
        assert failures > 0
        assert projected.dead_lettered == ()
        assert sorted(await side.documents(Model.CHILDREN)) == CHILDREN
        assert len(await side.documents(Model.ALERTS)) == len(CHILDREN)
        assert (await side.verify()).clean


@pytest.mark.parametrize("command", ["find", "update"])
async def test_a_rebuild_outlives_what_passes(
    mongod: OwnMongod, driver: Driver, command: str
) -> None:
    async with a_side(mongod, f"rebuild-{driver}-{command}", driver) as side:
        # given
        await side.happened(*_of_all(registered()), *_of_all(reported(1)))
        second = Generation(2)
        writer = WholeChildren(
            side.another_projector(second), ReadModelStore(side.mongo, side.database, second)
        )
        histories = [stream async for stream in streams(side.store)]
        await fail(side, command, 11601, times=3)
        # when
        written = await patiently(lambda: writer.write(histories, "rebuild-0"), *PASSING)
        # then
        assert written == Written()
        assert (await side.on_generation(second).verify()).clean


async def test_a_child_whose_document_the_server_refuses_is_dead_lettered_alone(
    mongod: OwnMongod, driver: Driver
) -> None:
    async with a_side(mongod, f"refused-{driver}", driver) as side:
        # given a server that takes nobody aged 9
        await side.database.command(
            {
                "collMod": GENERATION.collection_name(Model.CHILDREN),
                "validator": {"age": {"$ne": 9}},
            }
        )
        first = await side.happened(*_of_all(registered()))
        await side.project(first)
        batch = await side.happened(_of("cleo", updated(age=9)), *_of_all(started()))
        # when
        projected, failures = await as_a_worker(side, batch)
        # then
        assert failures == 0
        assert {dead_lettered.child_id for dead_lettered in projected.dead_lettered} == {"cleo"}
        assert (
            projected.dead_lettered[0].reason == "UnstorableDocument: 121 DocumentValidationFailure"
        )
        versions = {c: d["version"] for c, d in (await side.documents(Model.CHILDREN)).items()}
        assert versions == {child: 1 if child == "cleo" else 2 for child in CHILDREN}
        marked = [notice.child_id for notice in projected.notices if notice.marked]
        assert marked == ["cleo"]
        assert await count_dead_lettered(side.database, GENERATION) == 1


async def test_a_child_that_outgrew_the_document_limit_is_dead_lettered_and_others_go_on(
    mongod: OwnMongod, driver: Driver
) -> None:
    async with a_side(mongod, f"outgrown-{driver}", driver) as side:
        # given a document that is just small enough
        mild = _of_all(reported(1, Severity.LOW))
        await side.project(await side.happened(*_of_all(registered()), *mild))
        safety = GENERATION.collection(side.database, Model.SAFETY)
        document = await safety.find_one({"_id": "ben"})
        assert document is not None
        padding = "x" * (MOST_BYTES - len(bson.encode(document)) - 20)
        await safety.update_one({"_id": "ben"}, {"$set": {"padding": padding}})
        # when there is more that the next alert may count
        projected, failures = await as_a_worker(
            side, await side.happened(*_of_all(reported(2)), *_of_all(reported(3)))
        )
        # then
        assert failures == 0
        assert {dead_lettered.child_id for dead_lettered in projected.dead_lettered} == {"ben"}
        assert "UnstorableDocument" in projected.dead_lettered[0].reason
        assert "xxx" not in projected.dead_lettered[0].stack
        assert (await side.child("dora"))["safety_violations_count"] == 3


async def test_an_unstorable_document_is_told_to_a_rebuild(mongod: OwnMongod) -> None:
    async with a_side(mongod, "rebuild-refused", "pymongo") as side:
        # given
        await side.happened(_of(MIA, registered()))
        second = Generation(2)
        await side.database.create_collection(
            second.collection_name(Model.CHILDREN), validator={"age": {"$ne": 6}}
        )
        writer = WholeChildren(
            side.another_projector(second), ReadModelStore(side.mongo, side.database, second)
        )
        histories = [stream async for stream in streams(side.store)]
        # when / then
        with pytest.raises(UnstorableDocument, match="121"):
            await writer.write(histories, "rebuild-0")


def _of(child_id: str, event: ChildEvent) -> ChildEvent:
    return replace(event, child_id=child_id)


def _of_all(event: ChildEvent) -> list[ChildEvent]:
    return [_of(child_id, event) for child_id in CHILDREN]
