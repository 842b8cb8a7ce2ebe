"""Which processes make up a local stack, and how to tell that each does its work."""

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2
from aiokafka import AIOKafkaConsumer
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from deploy.local import binaries
from deploy.local.process import ProcessPlan
from deploy.local.state import StackFolder

LOOPBACK = "127.0.0.1"
REPLICA_SET = "rs0"
ALREADY_INITIALIZED = 23
MONGO_CACHE_GB = "0.5"
MONGO_URLS = ("TEDDY_WRITE_MONGO_URL", "TEDDY_READ_MONGO_URL", "TEDDY_KEYS_MONGO_URL")
KAFKA_BOOTSTRAP = "TEDDY_KAFKA_BOOTSTRAP"
SERVICES: Mapping[str, str] = {
    "command": "command_service",
    "relay": "command_service.relay",
    "worker": "projection_worker",
    "query": "query_service",
}


class NotWritableYet(Exception):
    """The MongoDB node is not the primary yet."""


class NotHealthy(Exception):
    """A service answers, but a dependency of it is down."""


def free_port(wanted: int | None) -> int:
    """`wanted` if nobody listens there, else one that the system gives."""
    for port in (wanted or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on the loopback interface")


def mongo_url(port: int) -> str:
    return f"mongodb://{LOOPBACK}:{port}/?directConnection=true"


def mongod_plan(folder: StackFolder, port: int) -> ProcessPlan:
    data = folder.data / "mongo"
    data.mkdir(parents=True, exist_ok=True)
    options = {
        "--dbpath": str(data),
        "--port": str(port),
        "--replSet": REPLICA_SET,
        "--bind_ip": LOOPBACK,
        "--wiredTigerCacheSizeGB": MONGO_CACHE_GB,
        "--unixSocketPrefix": str(data),
    }
    return ProcessPlan(
        name="mongod",
        command=(str(binaries.mongod()), *(w for option in options.items() for w in option)),
        address=f"{LOOPBACK}:{port}",
        log=folder.logs / "mongod.log",
        ready=lambda: _mongod_ready(port),
        grace_seconds=30.0,
    )


def kafka_plan(folder: StackFolder, port: int) -> ProcessPlan:
    data = folder.data / "kafka"
    data.mkdir(parents=True, exist_ok=True)
    binary = str(binaries.kafka_broker())
    options = ("--only", "kafka", "--kafka-port", str(port), "--data-dir", str(data))
    return ProcessPlan(
        name="kafka",
        command=(binary, "start", *options),
        address=f"{LOOPBACK}:{port}",
        log=folder.logs / "kafka.log",
        ready=lambda: _kafka_ready(f"{LOOPBACK}:{port}"),
    )


def service_plan(
    name: str, folder: StackFolder, port: int, environment: Mapping[str, str]
) -> ProcessPlan:
    address = f"{LOOPBACK}:{port}"
    return ProcessPlan(
        name=name,
        command=(sys.executable, "-m", SERVICES[name]),
        address=address,
        log=folder.logs / f"{name}.log",
        ready=lambda: _service_ready(address),
        environment=environment,
    )


def log_of(folder: StackFolder, name: str) -> Path:
    return folder.logs / f"{name}.log"


async def _mongod_ready(port: int) -> None:
    """A writable primary; the replica set is initiated when it is new."""
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        mongo_url(port), serverSelectionTimeoutMS=1_000
    )
    try:
        member = {"_id": 0, "host": f"{LOOPBACK}:{port}"}
        config = {"_id": REPLICA_SET, "members": [member]}
        try:
            await client.admin.command("replSetInitiate", config)
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise
            await _keep_address(client, port)
        hello = await client.admin.command("hello")
        if not hello["isWritablePrimary"]:
            raise NotWritableYet(f"mongod on port {port} is not primary")
    finally:
        await client.close()


async def _keep_address(client: AsyncMongoClient[dict[str, object]], port: int) -> None:
    """A set that was made on another port is told of its new address."""
    config = (await client.admin.command("replSetGetConfig"))["config"]
    address = f"{LOOPBACK}:{port}"
    if config["members"][0]["host"] != address:
        config["members"][0]["host"] = address
        config["version"] += 1
        await client.admin.command("replSetReconfig", config, force=True)


async def _kafka_ready(bootstrap: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, request_timeout_ms=2_000)
    try:
        await asyncio.wait_for(consumer.start(), 5)
        await consumer.topics()
    finally:
        await consumer.stop()


async def _service_ready(address: str) -> None:
    async with httpx2.AsyncClient(timeout=3.0) as client:
        answer = await client.get(f"http://{address}/health/ready")
    if answer.status_code != httpx2.codes.OK:
        raise NotHealthy(answer.text)
