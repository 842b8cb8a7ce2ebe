"""Requests of operations to processes that die, and to several at once."""

import asyncio
import signal
from pathlib import Path

import httpx2
import pytest

from shared.fault_points import VARIABLE, FaultPoint, arm
from shared.mongo import Mongo
from shared.operations import MongoOperationRequests
from tests.support.command_process import command_environment, command_process
from tests.support.command_side import ADMIN

REBUILD = {"kind": "rebuild"}
KEY = "rebuild-0001"


async def test_a_request_whose_process_was_killed_behind_it_is_answered_when_it_is_repeated(
    tmp_path: Path, mongo_url: str, fresh_database: str
) -> None:
    faults = tmp_path / "faults"
    faults.mkdir()
    more = {VARIABLE: str(faults)}
    environment = command_environment(tmp_path, mongo_url, fresh_database, **more)
    async with (
        command_process(tmp_path, environment, ADMIN) as first,
        first.client() as client,
    ):
        arm(faults, FaultPoint.COMMAND_BEFORE_REPLY)
        with pytest.raises(httpx2.TransportError):
            await client.send("POST", "/operations", REBUILD, key=KEY)
        assert await first.process.wait() == -signal.SIGKILL
    async with (
        command_process(tmp_path, environment, ADMIN) as second,
        second.client() as client,
    ):
        repeated = await client.send("POST", "/operations", REBUILD, key=KEY)
        other = await client.send("POST", "/operations", REBUILD)

    mongo = Mongo(mongo_url)
    (kept,) = await MongoOperationRequests(mongo.database(fresh_database)).open()
    await mongo.close()
    assert repeated.status_code == 202, repeated.text
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert repeated.json()["operation_id"] == kept.id
    assert (other.status_code, other.json()["operation_id"]) == (409, kept.id)


async def test_of_two_processes_one_takes_it(
    tmp_path: Path, mongo_url: str, fresh_database: str
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, two = (command_environment(each, mongo_url, fresh_database) for each in folders)
    async with (
        command_process(folders[0], one, ADMIN) as first,
        command_process(folders[1], two, ADMIN) as second,
        first.client() as client,
        second.client() as other,
    ):
        asked = [each.send("POST", "/operations", REBUILD) for each in (client, other) * 5]
        answers = await asyncio.gather(*asked)

    assert sorted(each.status_code for each in answers) == [202] + [409] * 9
    assert len({each.json()["operation_id"] for each in answers}) == 1
