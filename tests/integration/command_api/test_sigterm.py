"""The command process on SIGTERM: it finishes what it accepted, takes nothing new, and ends."""

import asyncio
import signal
import time
from pathlib import Path

import httpx2
import orjson

from shared.clock import new_id
from shared.event_store.mongo import MongoEventStore
from shared.mongo import Mongo
from tests.support.command_process import (
    DATABASE,
    CommandProcess,
    command_environment,
    command_process,
)
from tests.support.command_side import CommandClient
from tests.support.consents import CONSENTS
from tests.support.own_servers import own_mongod
from tests.support.ports import listens
from tests.support.waiting import until

GRACE_SECONDS = 10.0
CALLERS = 40
ENOUGH = 200


class Callers:
    """Register children, each one after the other, until the process is not there any more."""

    def __init__(self, mother: CommandClient) -> None:
        self._mother = mother
        self.registered: list[str] = []
        self.statuses: list[int] = []
        self.cut_off = 0

    async def call(self) -> None:
        while True:
            key = new_id()
            body = {"name": "Ada", "age": 7, "udid": f"TEDDY-{key}", "consents": CONSENTS}
            try:
                response = await self._mother.send("POST", "/children", body, key=key)
            except httpx2.TransportError:
                self.cut_off += 1
                return
            self.statuses.append(response.status_code)
            if response.status_code == 201:
                self.registered.append(response.json()["child_id"])


async def ended(process: CommandProcess) -> tuple[int, float]:
    """SIGTERM; the exit code, and the seconds until then."""
    started = time.monotonic()
    process.process.send_signal(signal.SIGTERM)
    code = await asyncio.wait_for(process.process.wait(), 3 * GRACE_SECONDS)
    return code, time.monotonic() - started


async def test_what_was_accepted_under_load_is_done_and_stored(
    mongo_url: str, fresh_database: str, tmp_path: Path
):
    environment = command_environment(tmp_path, mongo_url, fresh_database)
    async with command_process(tmp_path, environment) as process, process.client() as mother:
        callers = Callers(mother)
        calling = [asyncio.create_task(callers.call()) for _ in range(CALLERS)]
        await until(lambda: len(callers.registered) > ENOUGH, 30)
        # when
        code, seconds = await ended(process)
        await asyncio.gather(*calling)
    # then
    assert code == 0
    assert seconds < GRACE_SECONDS
    assert set(callers.statuses) <= {201, 503}
    assert callers.cut_off == CALLERS
    assert set(callers.registered) <= await stored_children(mongo_url, fresh_database)


async def stored_children(mongo_url: str, database: str) -> set[str]:
    mongo = Mongo(mongo_url)
    store = MongoEventStore(mongo.database(database))
    children = {commit.child_id async for commit in store.scan()}
    await store.close()
    await mongo.close()
    return children


async def test_a_process_whose_store_hangs_ends_within_its_grace(tmp_path: Path, driver: str):
    async with own_mongod(tmp_path / "mongod") as mongod:
        environment = command_environment(tmp_path, mongod.url, TEDDY_MONGO_DRIVER=driver)
        async with command_process(tmp_path, environment) as process, process.client() as mother:
            callers = Callers(mother)
            calling = [asyncio.create_task(callers.call()) for _ in range(CALLERS)]
            await until(lambda: len(callers.registered) > ENOUGH, 30)
            mongod.freeze()
            # when
            code, seconds = await ended(process)
            await asyncio.gather(*calling)
        # then
        assert code == 0
        assert seconds < GRACE_SECONDS
        assert set(callers.statuses) <= {201, 503}
        mongod.thaw()
        assert set(callers.registered) <= await stored_children(mongod.url, DATABASE)


async def test_from_sigterm_on_nobody_is_let_in(
    mongo_url: str, fresh_database: str, tmp_path: Path
):
    environment = command_environment(tmp_path, mongo_url, fresh_database)
    async with command_process(tmp_path, environment) as process:
        # given a request whose body is on its way: it keeps the process from ending
        host, _, port = process.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        asked = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "consents": CONSENTS}
        body = orjson.dumps(asked)
        writer.write(process.head_of_a_registration(len(body)) + body[:10])
        assert await process.is_ready()
        # when
        process.process.send_signal(signal.SIGTERM)
        await until(lambda: not listens((host, int(port))))
        writer.write(body[10:])
        answer = await reader.read()
        # then
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert await asyncio.wait_for(process.process.wait(), GRACE_SECONDS) == 0
        writer.close()
