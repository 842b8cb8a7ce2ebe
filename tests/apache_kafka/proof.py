"""That nothing was lost: all processes are well, and commands, store, topic, read models agree."""

import asyncio
import os
import time
from functools import partial

import httpx2
import orjson

from command_service.relay.progress import Checkpoints
from deploy.local import plans
from deploy.local.state import StackFolder, StackState
from shared.kafka import CHILD_EVENTS
from shared.mongo import Mongo
from tests.apache_kafka.ledger import WRITE_DATABASE, account
from tests.apache_kafka.load import Load
from tests.support.commands import started
from tests.support.kafka import read_all_records
from tests.support.waiting import eventually


async def published_events(state: StackState) -> int:
    """How many events the relay says are on the topic, from its saved checkpoint."""
    mongo = Mongo(state.environment[plans.MONGO_URLS[0]])
    try:
        return (await Checkpoints(mongo.database(WRITE_DATABASE)).read()).events
    finally:
        await mongo.close()


class RelayLog:
    """The relay's log from now on."""

    def __init__(self, services: StackFolder) -> None:
        self._path = plans.log_of(services, "relay")
        self._begin = self._path.stat().st_size

    def mentions(self, text: str) -> bool:
        return any(text in message for message in self._messages())

    def _messages(self) -> list[str]:
        lines = self._path.read_bytes()[self._begin :].splitlines()
        return [orjson.loads(line)["message"] for line in lines if line.startswith(b"{")]


DRAIN_SECONDS = 120.0
AWAY = (httpx2.TransportError,)
"""It is being restarted."""

WITH_LAG = ("relay", "worker")


async def nothing_is_lost(state: StackState, load: Load, since: float) -> str:
    """Raises AssertionError, TimeoutError. Returns what was counted, as text.

    `since`: the monotonic time at which the fault was over.
    """
    async with asyncio.timeout(DRAIN_SECONDS):
        for name in plans.SERVICES:
            health = partial(_health, state, name)
            await eventually(health, DRAIN_SECONDS, lambda answer: answer.is_success, AWAY)
        for name in WITH_LAG:
            lag = partial(lag_of, state, name)
            await eventually(lag, DRAIN_SECONDS, lambda events: events == 0, AWAY)
        environment = {**os.environ, **state.environment}
        wait = ["verify", "--wait", str(DRAIN_SECONDS)]
        verified = await started("deploy.cli", wait, environment)
    assert verified.code == 0, verified
    assert "clean" in verified.out
    seconds = time.monotonic() - since
    ledger = await account(state, load.acknowledged)
    assert ledger.clean, ledger
    return (
        f"{ledger.commands:,} commands acknowledged ({ledger.events:,} events), "
        f"lost {ledger.lost}, twice in the read models 0, repeated on the topic {ledger.repeated}; "
        f"read models complete after {seconds:.1f} s"
    )


async def records_by_place(bootstrap: str) -> dict[tuple[int, int], bytes]:
    """The id of each published event by partition and offset."""
    records = await read_all_records(bootstrap, CHILD_EVENTS.name)
    return {(r.partition, r.offset): dict(r.headers)["ce_id"] for r in records}


async def lag_of(state: StackState, name: str) -> int:
    """In events, as the process tells it; raises TransportError."""
    return int((await _health(state, name)).json()["lag"]["events"])


async def _health(state: StackState, name: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.get(f"http://{plans.LOOPBACK}:{state.ports[name]}/health/ready")
