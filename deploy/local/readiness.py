"""How to tell that a server or a service does its work: each check raises until it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from aiokafka import AIOKafkaConsumer
from pymongo.errors import OperationFailure

from shared.kafka import client_options
from shared.mongo import Database, Mongo
from shared.settings import TopicSettings


@dataclass(frozen=True, slots=True)
class Told:
    """What a process says of itself: its lag as text, empty when it has none to tell, and what
    somebody ought to look into. `waits`: it does not do its work until somebody has."""

    lag: str = ""
    warnings: tuple[str, ...] = ()
    waits: bool = False


NOTHING_TOLD = Told()
REPLICA_SET = "rs0"
ALREADY_INITIALIZED = 23
ANSWER_SECONDS = 5.0
LATE_SECONDS = 900.0
"""Of a notification that still waits: its receiver is not only away for a moment."""


class NotWritableYet(Exception):
    """The MongoDB node is not the primary yet."""


class NotHealthy(Exception):
    """A service answers, but a dependency of it is down, or it does not do its work; `told` says
    why where it knows."""

    def __init__(self, text: str, told: Told = NOTHING_TOLD) -> None:
        super().__init__(text)
        self.told = told


def mongo_url(address: str) -> str:
    return f"mongodb://{address}/?directConnection=true"


async def mongod_initiated(address: str) -> None:
    """A writable primary; the replica set is initiated when it is new."""
    async with _admin_database(address) as admin:
        await _initiate(admin, address)
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


async def service_ready(address: str) -> Told:
    """Raises NotHealthy."""
    async with httpx2.AsyncClient(timeout=ANSWER_SECONDS) as client:
        answer = await client.get(f"http://{address}/health/ready")
    if answer.status_code != httpx2.codes.OK:
        raise NotHealthy(answer.text, _told_anyway(answer))
    return told_by(answer.json())


async def service_up(address: str) -> Told:
    """Ready, or waiting for an operator although all it depends on is there: what helps then needs
    a stack that runs. Raises NotHealthy."""
    try:
        return await service_ready(address)
    except NotHealthy as refusal:
        if refusal.told.waits:
            return refusal.told
        raise


def _told_anyway(answer: httpx2.Response) -> Told:
    try:
        return told_by(answer.json())
    except ValueError:
        return NOTHING_TOLD


def told_by(report: Mapping[str, Any]) -> Told:
    """From the answer of /health/ready."""
    lag, findings = report.get("lag"), report.get("findings", [])
    warnings = list(findings)
    if degraded := report.get("degraded"):
        warnings.append(f"runs without {', '.join(degraded)}")
    warnings += report.get("topics", [])
    if count := report.get("dead_lettered_children"):
        children = "1 child is" if count == 1 else f"{count:,} children are"
        warnings.append(f"{children} dead-lettered, shown as stale: see `teddy dead-letter list`")
    if retrying := report.get("retrying"):
        warnings.append(f"retrying since {retrying['since']} because of {retrying['because']}")
    warnings += _of_notifications(report.get("notifications") or {})
    text = f"{lag['events']} events, {lag['seconds']:.1f} s" if lag else ""
    down = "down" in report.get("dependencies", {}).values()
    return Told(text, tuple(warnings), waits=bool(findings) and not down)


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


async def _initiate(admin: Database, address: str) -> None:
    config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": address}]}
    try:
        await admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != ALREADY_INITIALIZED:
            raise
        await _keep_address(admin, address)


async def _keep_address(admin: Database, address: str) -> None:
    """A set that was made on another port is told of its new address."""
    config = (await admin.command("replSetGetConfig"))["config"]
    if config["members"][0]["host"] != address:
        config["members"][0]["host"] = address
        config["version"] += 1
        await admin.command("replSetReconfig", config, force=True)


async def _check_writable(admin: Database, address: str) -> None:
    hello = await admin.command("hello")
    if not hello["isWritablePrimary"]:
        raise NotWritableYet(f"mongod on {address} is not primary")


def _of_notifications(told: Mapping[str, Any]) -> Iterator[str]:
    if (seconds := told.get("waiting_seconds", 0)) > LATE_SECONDS:
        pending = told["pending"]
        waits = (
            "1 notification is pending"
            if pending == 1
            else f"{pending:,} notifications are pending"
        )
        wait = f"{waits}, the oldest for {seconds / 60:,.0f} min"
        yield f"{wait}: see `teddy notifications list --state pending`"
    if failed := told.get("failed"):
        alerts = "1 notification has" if failed == 1 else f"{failed:,} notifications have"
        yield f"{alerts} failed: see `teddy notifications list`"
    for channel, children in (told.get("unconfigured") or {}).items():
        policies = "1 alert policy names" if children == 1 else f"{children:,} alert policies name"
        yield f"{policies} {channel}, which is not in TEDDY_ALERT_CHANNELS: it is not delivered"
