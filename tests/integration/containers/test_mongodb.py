"""The MongoDB of the Compose stack: its options, its users and its job, on a real server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pymongo
import pytest
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from shared.clock import utc_now
from shared.event_store.port import StoreUnavailable
from shared.mongo import Mongo
from shared.operations import (
    COLLECTION,
    Ended,
    MongoOperationRequests,
    OperationKind,
    OperationRequest,
    OperationState,
)
from tests.support.compose_stack import ComposeStack, secured_mongod


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ComposeStack]:
    stack = ComposeStack(tmp_path_factory.mktemp("stack"))
    stack.first_start()
    async with secured_mongod(stack):
        code, output = await _set_up(stack)
        assert code == 0, output
        yield stack


async def _set_up(stack: ComposeStack) -> tuple[int, str]:
    folder = str(stack.secrets / "mongo-setup")
    return await _run_the_job(stack, folder, "--address", stack.mongo_address)


async def _run_the_job(stack: ComposeStack, *arguments: str) -> tuple[int, str]:
    module, _ = stack.project.services["mongo-setup"]["command"]
    command = (str(stack.python), "-m", module, *arguments)
    return await stack.run("mongo-setup", *command, more={})


def _mongo(stack: ComposeStack, process: str, store: str) -> Mongo:
    url = (stack.secrets / process / f"teddy_{store}_mongo_url").read_text()
    return Mongo(url, "pymongo")


async def test_the_job_can_be_repeated(stack: ComposeStack) -> None:
    code, output = await _set_up(stack)

    assert (code, output.splitlines()[-1].split(":")[0]) == (0, "replica set rs0 on 127.0.0.1")


async def test_indexes_are_there_before_any_process_is(stack: ComposeStack) -> None:
    mongo = Mongo(stack.root_url(), "pymongo")
    try:
        commits = await mongo.database("teddy_write")["commits"].index_information()
        read = await mongo.database("teddy_read").list_collection_names()
    finally:
        await mongo.close()

    assert "idempotency_key" in commits
    assert any(name.startswith("children") for name in read)


async def test_nobody_comes_in_without_tls_or_without_a_user(stack: ComposeStack) -> None:
    ca = stack.secrets / "mongo" / "ca.pem"
    plain = f"mongodb://{stack.mongo_address}/?directConnection=true"

    with (
        pymongo.MongoClient[dict[str, object]](plain, serverSelectionTimeoutMS=500) as client,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        client.admin.command("ping")
    with (
        pymongo.MongoClient[dict[str, object]](f"{plain}&tls=true&tlsCAFile={ca}") as client,
        pytest.raises(OperationFailure, match="requires authentication"),
    ):
        client["teddy_read"]["children"].find_one()


@pytest.mark.parametrize(
    ("process", "store", "database"),
    [
        ("query", "read", "teddy_read"),
        ("query", "write", "teddy_write"),
        ("query", "keys", "teddy_keys"),
        ("relay", "write", "teddy_audit"),
        ("worker", "write", "teddy_audit"),
        ("worker", "write", "teddy_write"),
    ],
)
async def test_an_account_cannot_write_where_it_has_no_business(
    stack: ComposeStack, process: str, store: str, database: str
) -> None:
    mongo = _mongo(stack, process, store)
    try:
        with pytest.raises(OperationFailure, match="not authorized"):
            await mongo.database(database)["anything"].insert_one({"_id": 1})
    finally:
        await mongo.close()


async def test_the_worker_ends_requested_operations_and_changes_nothing_else_of_the_event_store(
    stack: ComposeStack,
) -> None:
    # given
    command, worker = _mongo(stack, "command", "write"), _mongo(stack, "worker", "write")
    request = OperationRequest("op-1", OperationKind.REBUILD, "admin-1", utc_now())
    ended = Ended(OperationState.DONE, "it worked", utc_now())
    try:
        asked = MongoOperationRequests(command.database("teddy_write"))
        database = worker.database("teddy_write")
        of_the_worker = MongoOperationRequests(database)
        assert await asked.take(request) is None
        # when
        assert [one.id for one in await of_the_worker.open()] == ["op-1"]
        await of_the_worker.end("op-1", ended)
        # then
        assert await asked.open() == []
        with pytest.raises(OperationFailure, match="not authorized"):
            await database[COLLECTION].delete_one({"_id": "op-1"})
        with pytest.raises(StoreUnavailable):
            await of_the_worker.take(request)
        with pytest.raises(OperationFailure, match="not authorized"):
            await database["commits"].update_one({}, {"$set": {"seen": True}})
    finally:
        await command.close()
        await worker.close()


async def test_a_wrong_folder_is_refused_in_one_line(stack: ComposeStack, tmp_path: Path) -> None:
    code, output = await _run_the_job(stack, str(tmp_path))

    assert code == 1
    assert len(output.splitlines()) == 1
    assert "passwords.json" in output
