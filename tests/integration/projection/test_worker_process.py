"""The worker as a process, with a real broker and real servers."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from deploy.topics import apply_topics
from shared.clock import utc_now
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from tests.support.commands import started
from tests.support.own_servers import own_kafka, own_mongod
from tests.support.ports import free_port
from tests.support.worker_process import World, worker_world


async def test_records_become_documents_and_sigterm_ends_the_worker_in_order(world: World) -> None:
    child_id = await world.happenings.a_registered_child()
    async with world.worker() as process:
        await world.happenings.a_severe_violation(child_id)
        await world.until(lambda: world.is_at(child_id, 2))
        await world.until(lambda: _delivered(world, child_id))
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 10)

    assert code == 0


async def test_a_killed_worker_leaves_nothing_undone_for_the_next(world: World) -> None:
    child_id = await world.happenings.a_registered_child()
    async with world.worker() as process:
        await world.until(lambda: world.is_at(child_id, 1))
        process.kill()
    for _ in range(5):
        await world.happenings.a_severe_violation(child_id)

    async with world.worker():
        await world.until(lambda: world.is_at(child_id, 6))

    alerts = Generation(1).collection(world.database, Model.ALERTS)
    assert await alerts.count_documents({"child_id": child_id}) == 5


async def test_a_dead_lettered_child_is_counted_where_operators_look(world: World) -> None:
    # given
    child_id = await world.happenings.a_registered_child()
    async with world.worker():
        await world.until(lambda: world.is_at(child_id, 1))
        assert (await world.report())["dead_lettered_children"] == 0
        # when
        await world.happenings.garbage(child_id)
        # then
        await world.until(world.report, lambda report: report["dead_lettered_children"] == 1)
        metrics = await world.get("/metrics")
        assert "teddy_dead_lettered_children 1.0" in metrics.text
        assert (await world.report())["retrying"] is None


async def test_a_server_that_refuses_look_ups_is_told_while_it_lasts_and_dead_letters_nobody(
    kafka_bootstrap: str, fresh_database: str, tmp_path: Path
) -> None:
    async with (
        own_mongod(tmp_path / "mongod", "--setParameter", "enableTestCommands=1") as mongod,
        worker_world(mongod.url, kafka_bootstrap, fresh_database, tmp_path) as world,
        world.worker(),
    ):
        # given a server that has no time for one collection
        namespace = f"{fresh_database}.{Generation(1).collection_name(Model.CHILDREN)}"
        await _fail_look_ups(world, "alwaysOn", namespace)
        child_id = await world.happenings.a_registered_child()
        # when / then
        report = await world.until(world.report, lambda report: report["retrying"])
        assert report["retrying"]["because"] == "ExecutionTimeout 50"
        # when it has time again
        await _fail_look_ups(world, "off", namespace)
        # then
        await world.until(lambda: world.is_at(child_id, 1))
        report = await world.report()
        assert (report["retrying"], report["dead_lettered_children"]) == (None, 0)
        metrics = (await world.get("/metrics")).text
        assert 'teddy_projection_retries_total{error="ExecutionTimeout 50"}' in metrics


async def test_a_worker_whose_broker_is_gone_still_ends_on_sigterm(
    world: World, tmp_path: Path
) -> None:
    async with own_kafka(tmp_path / "broker") as broker:
        await apply_topics(broker.address, 1)
        world.environment["TEDDY_KAFKA_BOOTSTRAP"] = broker.address
        async with world.worker() as process:
            await broker.kill()
            process.send_signal(signal.SIGTERM)
            code = await asyncio.wait_for(process.wait(), 12)

    assert code == 0


async def test_a_worker_that_finds_no_broker_says_so_in_its_last_line(world: World) -> None:
    world.environment["TEDDY_KAFKA_BOOTSTRAP"] = f"127.0.0.1:{free_port()}"

    said = await started("projection_worker", [], {**os.environ, **world.environment})

    assert said.code == 1
    assert said.err.splitlines()[-1].startswith("worker: KafkaConnectionError")
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TEDDY_WORKER_BATCH", "none", "TEDDY_WORKER_BATCH"),
        ("TEDDY_KEY_FILE", "/nowhere/keys.json", "/nowhere/keys.json"),
    ],
)
async def test_a_worker_that_cannot_start_says_why_in_one_line(
    world: World, variable: str, value: str, said: str
) -> None:
    environment = {**os.environ, **world.environment, variable: value}

    refused = await started("projection_worker", [], environment)

    assert refused.code == 2
    assert said in refused.err
    assert len(refused.err.splitlines()) == 1


async def _delivered(world: World, child_id: str) -> bool:
    alerts = Generation(1).collection(world.database, Model.ALERTS)
    alert = await alerts.find_one({"child_id": child_id})
    return alert is not None and alert["delivered"].get("in_app", utc_now()) <= utc_now()


async def _fail_look_ups(world: World, mode: str, namespace: str) -> None:
    data = {"failCommands": ["find"], "errorCode": 50, "namespace": namespace}
    command = {"configureFailPoint": "failCommand", "mode": mode, "data": data}
    await world.database.client["admin"].command(command)
