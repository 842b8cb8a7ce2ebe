"""How to check that a server or a service does its work: each check raises until it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from aiokafka import AIOKafkaConsumer
from pymongo.errors import OperationFailure
from redis.asyncio import Redis

from shared.kafka import client_options
from shared.mongo import Database, Mongo
from shared.settings import TopicSettings


@dataclass(frozen=True, slots=True)
class SelfReport:
    """What a process says of itself: its lag as text, empty when it has none, and what an
    operator should look into. `waits`: it does not do its work until one has."""

    lag: str = ""
    warnings: tuple[str, ...] = ()
    waits: bool = False


NO_REPORT = SelfReport()
REPLICA_SET = "rs0"
ALREADY_INITIALIZED = 23
ANSWER_SECONDS = 5.0
LATE_SECONDS = 900.0
"""Of a notification that still waits: its receiver is not only away for a moment."""


class NotWritableYet(Exception):
    """The MongoDB node is not the primary yet."""


class NotHealthy(Exception):
    """A service answers, but a dependency of it is down, or it does not do its work;
    `report` says why where it knows."""

    def __init__(self, text: str, report: SelfReport = NO_REPORT) -> None:
        super().__init__(text)
        self.report = report


def mongo_url(address: str) -> str:
    return f"mongodb://{address}/?directConnection=true"


async def cache_answers(address: str) -> None:
    """A server of Redis' protocol."""
    async with Redis.from_url(f"redis://{address}/0", socket_timeout=ANSWER_SECONDS) as server:
        await server.dbsize()


async def mongod_initiated(address: str) -> None:
    """A writable primary; the replica set is initiated when it is new."""
    async with _admin_database(address) as admin:
        if not await initiate(admin, address):
            await _keep_address(admin, address)
        await _check_writable(admin, address)


async def mongod_writable(address: str) -> None:
    """A writable primary."""
    async with _admin_database(address) as admin:
        await _check_writable(admin, address)


async def kafka_answers(address: str) -> None:
    """One round trip for metadata."""
    consumer = AIOKafkaConsumer(
        **client_options(TopicSettings().servers_at(address)), request_timeout_ms=2_000
    )
    try:
        await asyncio.wait_for(consumer.start(), ANSWER_SECONDS)
        await consumer.topics()
    finally:
        await consumer.stop()


async def service_ready(address: str) -> SelfReport:
    """Raises NotHealthy."""
    async with httpx2.AsyncClient(timeout=ANSWER_SECONDS) as client:
        answer = await client.get(f"http://{address}/health/ready")
    if answer.status_code != httpx2.codes.OK:
        raise NotHealthy(answer.text, _report_in(answer))
    return self_report(answer.json())


async def service_up(address: str) -> SelfReport:
    """Ready, or waiting for an operator although all it depends on is there: what helps then needs
    a stack that runs. Raises NotHealthy."""
    try:
        return await service_ready(address)
    except NotHealthy as refusal:
        if refusal.report.waits:
            return refusal.report
        raise


def _report_in(answer: httpx2.Response) -> SelfReport:
    try:
        return self_report(answer.json())
    except ValueError:
        return NO_REPORT


def self_report(answer: Mapping[str, Any]) -> SelfReport:
    """From the answer of /health/ready."""
    lag, findings = answer.get("lag"), answer.get("findings", [])
    warnings = list(findings)
    if degraded := answer.get("degraded"):
        warnings.append(f"runs without {', '.join(degraded)}")
    warnings += answer.get("topics", [])
    if count := answer.get("dead_lettered_children"):
        children = _counted(count, "child is", "children are")
        warnings.append(f"{children} dead-lettered, shown as stale: see `teddy dead-letter list`")
    if retrying := answer.get("retrying"):
        warnings.append(f"retrying since {retrying['since']} because of {retrying['because']}")
    warnings += _of_notifications(answer.get("notifications") or {})
    text = f"{lag['events']} events, {lag['seconds']:.1f} s" if lag else ""
    down = "down" in answer.get("dependencies", {}).values()
    return SelfReport(text, tuple(warnings), waits=bool(findings) and not down)


@contextlib.asynccontextmanager
async def _admin_database(address: str) -> AsyncIterator[Database]:
    # not asked where no process listens: PyMongo goes on connecting in the background, and leaks
    # the socket of the attempt that its closing interrupts
    await _listens(address)
    mongo = Mongo(mongo_url(address), driver="pymongo")
    try:
        yield mongo.database("admin")
    finally:
        await mongo.close()


async def _listens(address: str) -> None:
    host, _, port = address.partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    await writer.wait_closed()


async def initiate(admin: Database, address: str) -> bool:
    """Makes the node at `address` a replica set of its own; False where it is in one already."""
    config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": address}]}
    try:
        await admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise
        return False
    return True


async def _keep_address(admin: Database, address: str) -> None:
    """A set that was made on another port gets its new address."""
    config = (await admin.command("replSetGetConfig"))["config"]
    if config["members"][0]["host"] != address:
        config["members"][0]["host"] = address
        config["version"] += 1
        await admin.command("replSetReconfig", config, force=True)


async def _check_writable(admin: Database, address: str) -> None:
    hello = await admin.command("hello")
    if not hello["isWritablePrimary"]:
        raise NotWritableYet(f"mongod on {address} is not primary")


def _of_notifications(state: Mapping[str, Any]) -> Iterator[str]:
    if (seconds := state.get("waiting_seconds", 0)) > LATE_SECONDS:
        pending = _counted(state["pending"], "notification is", "notifications are")
        wait = f"{pending} pending, the oldest for {seconds / 60:,.0f} min"
        yield f"{wait}: see `teddy notifications list --state pending`"
    if failed := state.get("failed"):
        alerts = _counted(failed, "notification has", "notifications have")
        yield f"{alerts} failed: see `teddy notifications list`"
    for channel, children in (state.get("unconfigured") or {}).items():
        policies = _counted(children, "alert policy names", "alert policies name")
        yield f"{policies} {channel}, which is not in TEDDY_ALERT_CHANNELS: it is not delivered"


def _counted(number: int, one: str, more: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {more}"
