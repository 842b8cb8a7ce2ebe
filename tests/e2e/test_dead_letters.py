"""A poisoned record in the running system: one child stops, others go on, an operator fixes it."""

from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.client import SeenWrites, TeddyClient
from shared.clock import new_id
from shared.kafka import CHILD_EVENTS
from tests.support.callers import client
from tests.support.commands import teddy
from tests.support.consents import CONSENTS
from tests.support.waiting import eventually

SOON = 90.0
HEARD = 30.0
"""Seconds until who has written nothing sees a change: less than an answer lives in the cache."""


async def dead_lettered(folder: StackFolder, child_id: str) -> int:
    """How many records of the child are dead-lettered."""
    listed = await teddy(folder, "dead-letter", "list", "--format", "json")
    assert listed.code == 0, listed.err
    rows: list[Any] = orjson.loads(listed.out)
    return sum(row["records"] for row in rows if row["child_id"] == child_id)


async def test_a_poisoned_child_is_dead_lettered_and_fixed_while_others_go_on(
    services: StackFolder, running: StackState
) -> None:
    parent_id = f"parent-{new_id()}"
    async with (
        client(running, Role.PARENT, parent_id) as parent,
        client(running, Role.PARENT, parent_id, seen=SeenWrites()) as visitor,
    ):
        child = (await parent.register_child("Mia", 6, new_id(), consents=CONSENTS))["child_id"]
        other = (await parent.register_child("Tom", 6, new_id(), consents=CONSENTS))["child_id"]
        await parent.get_child_profile(child)
        # when
        await _publish(running, child, b"not json at all")
        await eventually(lambda: dead_lettered(services, child), SOON, lambda records: records == 1)
        await parent.update_child_profile(child, age=7)
        await parent.update_child_profile(other, age=8)
        # then
        await eventually(lambda: dead_lettered(services, child), SOON, lambda records: records == 2)
        assert (await parent.get_child_profile(other))["age"] == 8
        assert (await parent.get_child_profile(other))["stale_since"] is None
        # then the child is shown as it is, and the stack is not well
        said = await eventually(
            lambda: teddy(services, "status"),
            SOON,
            lambda said: "1 child is dead-lettered" in said.out,
        )
        assert said.code == 1
        await eventually(lambda: _is_shown(visitor, child, stale=True), HEARD)
        report = await visitor.get_child_safety_report(child)
        assert [one["code"] for one in report["recommendations"]] == ["picture-is-incomplete"]
        # when
        fixed = await teddy(services, "dead-letter", "redrive", "--child", child, "--from-store")
        # then
        assert fixed.code == 0, fixed.err
        assert (await parent.get_child_profile(child))["age"] == 7
        assert await dead_lettered(services, child) == 0
        await eventually(lambda: _is_shown(visitor, child, stale=False), HEARD)
        assert (await visitor.get_child_safety_report(child))["stale_since"] is None
        await eventually(lambda: teddy(services, "status"), SOON, lambda said: said.code == 0)


async def test_a_report_that_names_an_unknown_conversation_silences_nothing(
    running: StackState,
) -> None:
    parent_id = f"parent-{new_id()}"
    async with client(running, Role.PARENT, parent_id) as parent:
        # given
        child = (await parent.register_child("Mia", 6, new_id(), consents=CONSENTS))["child_id"]
        # when
        unlinked = await parent.report_safety_violation(
            child, "bullying", "low", conversation_id=new_id()
        )
        await parent.report_safety_violation(child, "bullying", "critical")
        # then
        assert unlinked["ignored"] == ["conversation_id"]
        report = await parent.get_child_safety_report(child)
        assert (report["total_violations"], report["safety_score"]) == (2, 55.0)
        assert report["recommendations"][0]["code"] == "resolve-open-violations"
        assert len((await parent.get_alerts(parent_id))["items"]) == 1


async def _is_shown(visitor: TeddyClient, child_id: str, *, stale: bool) -> bool:
    profile = await visitor.get_child_profile(child_id)
    return (profile["stale_since"] is not None) is stale


async def _publish(stack: StackState, child_id: str, value: bytes) -> None:
    bootstrap = stack.environment["TEDDY_KAFKA_BOOTSTRAP"]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(CHILD_EVENTS.name, value, child_id.encode())
