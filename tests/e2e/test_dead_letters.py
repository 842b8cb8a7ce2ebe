"""A poisoned record in the running system: one child stops, others go on, an operator mends it."""

import os
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from deploy import cli
from deploy.local.state import StackFolder, StackState
from shared.auth.principal import Role
from shared.clock import new_id
from shared.topics import CHILD_EVENTS
from tests.support.callers import client
from tests.support.commands import Said, called
from tests.support.consents import CONSENTS
from tests.support.waiting import eventually

SOON = 90.0


async def dead_letter(folder: StackFolder, *arguments: str) -> Said:
    words = ["--dir", str(folder.path), "dead-letter", *arguments]
    return await called(cli.main, words, os.environ)


async def parked(folder: StackFolder, child_id: str) -> int:
    """How many records of the child are parked."""
    listed = await dead_letter(folder, "list", "--format", "json")
    assert listed.code == 0, listed.err
    rows: list[Any] = orjson.loads(listed.out)
    return sum(row["records"] for row in rows if row["child_id"] == child_id)


async def are_parked(folder: StackFolder, child_id: str, records: int) -> bool:
    return await parked(folder, child_id) == records


async def test_a_poisoned_child_is_parked_and_mended_while_others_go_on(
    services: StackFolder, running: StackState
) -> None:
    async with client(running, Role.PARENT, f"parent-{new_id()}") as parent:
        child = (await parent.register_child("Mia", 6, new_id(), consents=CONSENTS))["child_id"]
        other = (await parent.register_child("Tom", 6, new_id(), consents=CONSENTS))["child_id"]
        await parent.get_child_profile(child)
        # when
        await _publish(running, child, b"not json at all")
        await eventually(lambda: are_parked(services, child, 1), SOON)
        await parent.update_child_profile(child, age=7)
        await parent.update_child_profile(other, age=8)
        # then
        await eventually(lambda: are_parked(services, child, 2), SOON)
        assert (await parent.get_child_profile(other))["age"] == 8
        # when
        mended = await dead_letter(services, "redrive", "--child", child, "--from-store")
        # then
        assert mended.code == 0, mended.err
        assert (await parent.get_child_profile(child))["age"] == 7
        assert await parked(services, child) == 0


async def _publish(stack: StackState, child_id: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.environment["TEDDY_KAFKA_BOOTSTRAP"])
    await producer.start()
    try:
        await producer.send_and_wait(CHILD_EVENTS.name, value, child_id.encode())
    finally:
        await producer.stop()
