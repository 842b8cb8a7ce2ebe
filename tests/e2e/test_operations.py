"""A rebuild, both redrives and the clearing of caches over HTTP, from request to outcome."""

from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.client import Operation, TeddyClient, TeddyProblem
from shared.clock import new_id
from shared.kafka import CHILD_EVENTS
from shared.read_models.deliveries import DELIVERIES_COLLECTION
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from tests.support.callers import client
from tests.support.consents import CONSENTS
from tests.support.own_servers import own_stack
from tests.support.waiting import eventually

SOON = 90.0
ADMIN = "admin-7"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    """Others may look at generations, too."""
    with own_stack(tmp_path_factory.mktemp("operated")) as folder:
        yield folder


def admin_of(state: StackState) -> TeddyClient:
    return client(state, Role.ADMIN, ADMIN)


async def a_child(parent: TeddyClient) -> str:
    answer = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
    return answer["child_id"]


async def test_an_admin_rebuilds_the_read_models_and_sees_how_far_it_is(
    folder: StackFolder, state: StackState
) -> None:
    parent_id = f"parent-{new_id()}"
    async with client(state, Role.PARENT, parent_id) as parent, admin_of(state) as admin:
        child_id = await a_child(parent)
        await parent.get_child_profile(child_id)
        before = await live_generation(admin)
        seen: list[Operation] = []
        refused: list[TeddyProblem] = []

        # when
        started = await admin.start_operation("rebuild", idempotency_key="rebuild-0001")
        again = await admin.start_operation("rebuild", idempotency_key="rebuild-0001")
        try:
            await admin.rebuild_read_models()
        except TeddyProblem as problem:
            refused.append(problem)
        async for one in admin.follow_operation(started["operation_id"]):
            seen.append(one)

        # then
        assert again == started
        assert [(one.code, one.body["operation_id"]) for one in refused] == [
            ("operation-running", started["operation_id"])
        ]
        ended = seen[-1]
        live = await live_generation(admin)
        assert (ended["state"], ended["outcome"]) == ("done", f"generation {live} is live")
        assert live > before
        assert ended["requested_by"] == ADMIN
        assert ended["done"] == ended["total"]
        assert (ended["total"] or 0) >= 2
        assert (await parent.get_child_profile(child_id))["age"] == 6
        # and the next one may begin at once
        partly = await admin.rebuild_read_models(["safety"])
        assert partly["outcome"] == f"generation {live + 1} is live"


async def test_an_admin_redrives_a_dead_lettered_child(
    folder: StackFolder, state: StackState
) -> None:
    async with (
        client(state, Role.PARENT, f"parent-{new_id()}") as parent,
        admin_of(state) as admin,
    ):
        # given
        child_id = await a_child(parent)
        await parent.get_child_profile(child_id)
        await publish_garbage(state, child_id)
        await eventually(lambda: dead_lettered(admin), SOON, lambda children: child_id in children)
        await parent.update_child_profile(child_id, age=7)
        # when
        other = new_id()
        ended = await admin.redrive_dead_letters([child_id, other], from_store=True)
        # then
        assert ended["state"] == "done", ended
        assert ended["outcome"] == (
            "records published again: 1, of 1 child; 1 named were not dead-lettered"
        )
        assert (ended["done"], ended["total"]) == (1, 1)
        assert (await parent.get_child_profile(child_id))["age"] == 7
        await eventually(lambda: dead_lettered(admin), SOON, lambda children: not children)
        nothing = await admin.redrive_dead_letters()
        assert nothing["outcome"] == "records published again: 0, of 0 children"


async def test_an_admin_has_failed_notifications_tried_again(
    folder: StackFolder, state: StackState
) -> None:
    parent_id = f"parent-{new_id()}"
    async with client(state, Role.PARENT, parent_id) as parent, admin_of(state) as admin:
        # given
        child_id = await a_child(parent)
        await parent.report_safety_violation(child_id, "bullying", "critical")
        await eventually(lambda: delivered(state), SOON, lambda count: count == 1)
        let_fail(state)
        # when
        ended = await admin.redrive_notifications()
        # then
        assert (ended["state"], ended["done"], ended["total"]) == ("done", 1, 1)
        assert ended["outcome"] == "notifications that will be tried again: 1"
        await eventually(lambda: delivered(state), SOON, lambda count: count == 1)
        listed = await admin.operations()
        assert listed[0] == ended


async def test_an_admin_has_every_query_process_forget_what_it_kept(
    folder: StackFolder, state: StackState
) -> None:
    async with (
        client(state, Role.PARENT, f"parent-{new_id()}") as parent,
        admin_of(state) as admin,
    ):
        # given a profile in the cache that differs from the read model
        child_id = await a_child(parent)
        assert (await parent.get_child_profile(child_id))["age"] == 6
        children = Generation(await live_generation(admin)).collection_name(Model.CHILDREN)
        with read_store(state) as mongo:
            mongo["teddy_read"][children].update_one({"_id": child_id}, {"$set": {"age": 9}})
        assert (await parent.get_child_profile(child_id))["age"] == 6
        # when
        ended = await admin.clear_all_caches()
        # then
        assert (ended["state"], ended["outcome"]) == (
            "done",
            "every query process that follows the change topic is notified",
        )
        await eventually(
            lambda: parent.get_child_profile(child_id), SOON, lambda profile: profile["age"] == 9
        )


async def live_generation(admin: TeddyClient) -> int:
    generations = (await admin.get_system_status())["generations"]
    (live,) = (one["number"] for one in generations if one["live"])
    return int(live)


async def dead_lettered(admin: TeddyClient) -> set[str]:
    listed = await admin.get_system_status()
    return {one["child_id"] for one in listed["dead_lettered"]}


async def publish_garbage(state: StackState, child_id: str) -> None:
    bootstrap = state.environment["TEDDY_KAFKA_BOOTSTRAP"]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(CHILD_EVENTS.name, b"not json", child_id.encode())


async def delivered(state: StackState) -> int:
    with read_store(state) as mongo:
        deliveries = mongo["teddy_read"][DELIVERIES_COLLECTION]
        return deliveries.count_documents({"state": "delivered"})


def let_fail(state: StackState) -> None:
    with read_store(state) as mongo:
        deliveries = mongo["teddy_read"][DELIVERIES_COLLECTION]
        deliveries.update_many({}, {"$set": {"state": "failed"}})


def read_store(state: StackState) -> pymongo.MongoClient[dict[str, Any]]:
    return pymongo.MongoClient(state.environment["TEDDY_READ_MONGO_URL"])
