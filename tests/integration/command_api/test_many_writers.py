"""A hundred writers of one child over HTTP, through one process and through two."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from deploy.local.plans import free_port
from shared.clock import new_id
from shared.event_store.envelope import verify_chain
from shared.event_store.mongo import MongoEventStore
from shared.mongo import Mongo
from tests.support.command_process import command_environment, command_process
from tests.support.command_side import ADMIN, CommandClient
from tests.support.consents import BORN
from tests.support.problem_documents import assert_problem

WRITERS = 100
MESSAGE = {"role": "child", "word_count": 3}
PATIENT = {"TEDDY_COMMAND_TIMEOUT_SECONDS": "25", "TEDDY_COMMAND_WAIT_SECONDS": "25"}
"""A test machine that is busy is no store that is away."""


@pytest.fixture
def environment(mongo_url: str, fresh_database: str, tmp_path: Path) -> dict[str, str]:
    return command_environment(tmp_path, mongo_url, fresh_database, **PATIENT)


async def _a_talk(client: CommandClient, udid: str) -> tuple[str, str]:
    """A child, and the path of the messages of its open conversation."""
    child_id = await client.register(udid, parent_id="parent-ada")
    begun = await client.send("POST", f"/children/{child_id}/conversations", {})
    path = f"/children/{child_id}/conversations/{begun.json()['conversation_id']}/messages"
    return child_id, path


async def _end_of_stream(mongo_url: str, database: str, child_id: str) -> int:
    """How far the child's stream goes; raises ChainBroken where it is not whole."""
    mongo = Mongo(mongo_url)
    store = MongoEventStore(mongo.database(database))
    end = verify_chain(await store.load(child_id))
    await store.close()
    await mongo.close()
    return end.version


async def test_of_a_hundred_at_once_through_one_process_all_are_recorded(
    environment: dict[str, str], mongo_url: str, fresh_database: str, tmp_path: Path
):
    async with (
        command_process(tmp_path, environment, ADMIN) as process,
        process.client(WRITERS + 1) as admin,
    ):
        # given
        child_id, path = await _a_talk(admin, "TEDDY-0000-0001")
        _, beside = await _a_talk(admin, "TEDDY-0000-0002")
        # when
        writing = asyncio.gather(
            *(admin.send("POST", path, MESSAGE, key=new_id()) for _ in range(WRITERS))
        )
        others = [await admin.send("POST", beside, MESSAGE) for _ in range(10)]
        answers = await writing
    # then
    assert {answer.status_code for answer in (*answers, *others)} == {201}
    first = BORN + 2
    versions = sorted(answer.json()["version"] for answer in answers)
    assert versions == list(range(first, first + WRITERS))
    assert await _end_of_stream(mongo_url, fresh_database, child_id) == versions[-1]


async def test_through_two_processes_whoever_is_overtaken_gets_when_to_come_again(
    environment: dict[str, str], mongo_url: str, fresh_database: str, tmp_path: Path
):
    second = {**environment, "TEDDY_COMMAND_PORT": str(free_port(None))}
    async with (
        command_process(tmp_path, environment, ADMIN) as first_process,
        command_process(tmp_path, second, ADMIN) as second_process,
        first_process.client(WRITERS) as here,
        second_process.client(WRITERS) as there,
    ):
        # given
        child_id, path = await _a_talk(here, "TEDDY-0000-0001")
        # when
        keys = [new_id() for _ in range(WRITERS)]
        clients = [(here, there)[number % 2] for number in range(WRITERS)]
        answers = await asyncio.gather(*map(_until_done, clients, [path] * WRITERS, keys))
    # then
    assert {answer.status_code for answer in answers} == {201}
    last = await _end_of_stream(mongo_url, fresh_database, child_id)
    versions = sorted(answer.json()["version"] for answer in answers)
    assert versions == list(range(last - WRITERS + 1, last + 1))


async def _until_done(client: CommandClient, path: str, key: str) -> httpx2.Response:
    while True:
        answer = await client.send("POST", path, MESSAGE, key=key)
        if answer.status_code != httpx2.codes.CONFLICT:
            return answer
        assert_problem(answer, 409, "concurrent-update")
        assert answer.headers["Retry-After"] == "1"
