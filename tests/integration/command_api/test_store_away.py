"""The command process while its store is away: quick answers, nothing by halves, back by itself."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.clock import new_id
from shared.mongo import Mongo
from tests.support.command_process import DATABASE, command_environment, command_process
from tests.support.command_side import CommandClient
from tests.support.commands import started
from tests.support.consents import CONSENTS
from tests.support.core_waits import CoreWaits
from tests.support.own_servers import OwnMongod
from tests.support.problem_documents import assert_problem
from tests.support.tcp_proxy import tcp_proxy
from tests.support.waiting import eventually

PROMISED_SECONDS = 2.0
AT_ONCE_SECONDS = 0.5
BACK_SECONDS = 30.0
BURST = 40
UVICORN_COULD_NOT_START = 3


@dataclass
class Asked:
    response: httpx2.Response
    seconds: float


async def register(mother: CommandClient, key: str) -> Asked:
    started = time.monotonic()
    body = {"name": "Ada", "age": 7, "udid": f"TEDDY-{key}", "consents": CONSENTS}
    response = await mother.send("POST", "/children", body, key=key)
    return Asked(response, time.monotonic() - started)


async def register_all(mother: CommandClient, keys: Sequence[str]) -> list[Asked]:
    return list(await asyncio.gather(*(register(mother, key) for key in keys)))


def some_keys() -> list[str]:
    return [new_id() for _ in range(BURST)]


async def is_registered(mother: CommandClient, key: str) -> bool:
    """One key again and again: a try that is given up may have reserved the bear already."""
    return (await register(mother, key)).response.status_code == 201


async def frozen(mongod: OwnMongod) -> None:
    mongod.freeze()


async def thawed(mongod: OwnMongod) -> None:
    mongod.thaw()


Happens = Callable[[OwnMongod], Awaitable[None]]


@pytest.mark.parametrize(
    ("goes", "comes_back"),
    [(frozen, thawed), (OwnMongod.kill, OwnMongod.start)],
    ids=["hung", "gone"],
)
async def test_a_store_that_is_away_is_reported_in_time_and_leaves_nothing_half_done(
    mongod: OwnMongod, tmp_path: Path, goes: Happens, comes_back: Happens, driver: str
):
    environment = command_environment(tmp_path, mongod.url, TEDDY_MONGO_DRIVER=driver)
    keys, later = some_keys(), some_keys()
    async with command_process(tmp_path, environment) as process, process.client() as mother:
        known = await mother.register()
        # when
        await goes(mongod)
        waits = CoreWaits(process.process.pid)
        waited = await register_all(mother, keys)
        changed = await mother.send("PATCH", f"/children/{known}/profile", {"age": 9})
        at_once = [await register(mother, key) for key in later]
        in_time = PROMISED_SECONDS + waits.seconds()
        # then
        for asked in [*waited, *at_once]:
            assert_away(asked)
            assert asked.seconds < in_time
        assert_problem(changed, 503, "store-unavailable")
        half_of_them = sorted(asked.seconds for asked in at_once)[BURST // 2]
        assert half_of_them < AT_ONCE_SECONDS + waits.seconds()
        # when
        await comes_back(mongod)
        again = new_id()
        await eventually(lambda: is_registered(mother, again), BACK_SECONDS)
        repeated = await register_all(mother, [*keys, *later])
        # then
        assert {asked.response.status_code for asked in repeated} == {201}
        assert process.process.returncode is None
    await assert_each_key_made_one_child(mongod, [*keys, *later], devices=1)


def assert_away(asked: Asked) -> None:
    assert_problem(asked.response, 503, "store-unavailable")
    assert int(asked.response.headers["Retry-After"]) >= 1


async def assert_each_key_made_one_child(
    mongod: OwnMongod, keys: Sequence[str], devices: int = 0
) -> None:
    """With its key and its bear; every claim belongs to a child that came to be. `devices`: how
    many of the children have one."""
    mongo = Mongo(mongod.url)
    stored = mongo.database(DATABASE)
    commits: list[dict[str, Any]] = await stored["commits"].find({}).to_list(None)
    claims = await stored["claims"].find({}).to_list(None)
    keys_stored = await stored["child_keys"].count_documents({})
    await mongo.close()
    children = [commit["child_id"] for commit in commits]
    assert len(children) == len(set(children))
    assert len([commit for commit in commits if "idempotency" in commit]) >= len(keys)
    assert {claim["child_id"] for claim in claims} == set(children)
    assert len(claims) == len(children) + devices
    assert keys_stored == len(children)


async def test_connections_that_went_silent_are_given_up(mongod: OwnMongod, tmp_path: Path):
    host, _, port = mongod.address.partition(":")
    async with tcp_proxy(host, int(port)) as proxy:
        url = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
        environment = command_environment(tmp_path, url)
        async with command_process(tmp_path, environment) as process, process.client() as mother:
            await register_all(mother, some_keys())
            # when
            waits = CoreWaits(process.process.pid)
            assert proxy.silence() > 0
            asked = await register_all(mother, some_keys())
            # then
            assert max(each.seconds for each in asked) < PROMISED_SECONDS + waits.seconds()
            assert {each.response.status_code for each in asked} <= {201, 503}
            again = new_id()
            await eventually(lambda: is_registered(mother, again), BACK_SECONDS)


async def test_a_process_without_its_store_gives_up(tmp_path: Path) -> None:
    nobody = "mongodb://127.0.0.1:1/?directConnection=true"
    environment = {**os.environ, **command_environment(tmp_path, nobody)}

    said = await asyncio.wait_for(started("command_service", [], environment), 30)

    assert said.code == UVICORN_COULD_NOT_START
    assert "StoreUnavailable" in said.err


async def test_readiness_follows_the_store(mongod: OwnMongod, tmp_path: Path):
    environment = command_environment(tmp_path, mongod.url)
    async with command_process(tmp_path, environment) as process:
        mongod.freeze()
        assert not await process.is_ready()
        mongod.thaw()
        await eventually(process.is_ready)
