"""Events that come again through a real broker and a real worker."""

import os
from typing import Any

from projection_worker.replay.__main__ import main
from shared.kafka import CHILD_EVENTS
from shared.read_models.documents import Model
from shared.read_models.generations import Generation
from tests.support.commands import called
from tests.support.kafka import read_all_records
from tests.support.webhook_receiver import webhook_receiver
from tests.support.worker_process import World, new_group


async def test_what_is_republished_changes_no_read_model_counter_or_alert(world: World) -> None:
    async with world.worker():
        mia = await world.happenings.a_registered_child()
        tom = await world.happenings.a_registered_child()
        await world.happenings.a_severe_violation(mia)
        await world.until(lambda: _delivered(world, mia))
        before = await _read_models(world)
        # when everything comes again, and one more fact behind it
        said = await _replay(world, "republish", "--all")
        await world.happenings.a_severe_violation(tom)
        await world.happenings.a_severe_violation(mia)
        await world.until(lambda: _delivered(world, tom))
        await world.until(lambda: world.is_at(mia, 3))

    # then only that fact is new
    assert said.strip().splitlines()[-1] == "3 events published to teddy.child.events.v1"
    assert "clean" in await _replay(world, "verify")
    after = await _read_models(world)
    alerts = {place for place in before if place[0] is Model.ALERTS}
    assert len(alerts) == 1
    assert all(after[place] == before[place] for place in alerts)
    assert await _counted(world, "violations") == 3
    assert await _counted(world, "children_active") == 2


async def test_what_comes_again_notifies_nobody_again(world: World) -> None:
    # given a group of consumers that will read everything for itself, and one delivered alert
    other_group = await new_group(world.bootstrap)
    async with webhook_receiver() as receiver:
        world.environment.update(receiver.settings)
        async with world.worker():
            mia = await world.happenings.a_registered_child()
            await world.happenings.alerts_by_webhook_too(mia)
            await world.happenings.a_severe_violation(mia)
            await world.until(lambda: _delivered(world, mia, channel="webhook"))
            # when the facts are published again
            await _replay(world, "republish", "--all")
            await world.happenings.a_severe_violation(mia)
            await world.until(lambda: _delivered(world, mia, channel="webhook", alerts=2))
        # when another group reads them all, and one more
        world.environment["TEDDY_WORKER_GROUP"] = other_group
        async with world.worker():
            await world.happenings.a_severe_violation(mia)
            await world.until(lambda: _delivered(world, mia, channel="webhook", alerts=3))
        # then
        reported = receiver.about(mia)
        assert len(reported) == len(set(reported)) == 3


async def test_republished_records_are_byte_for_byte_those_of_the_relay(world: World) -> None:
    mia = await world.happenings.a_registered_child()
    await world.happenings.a_severe_violation(mia)

    await _replay(world, "republish", "--child", mia, "--rate", "1000")

    records = await read_all_records(world.bootstrap, CHILD_EVENTS.name)
    mine = [
        (record.partition, record.value, record.headers)
        for record in records
        if record.key == mia.encode()
    ]
    assert len(mine) == 4
    assert mine[2:] == mine[:2]


async def _replay(world: World, *arguments: str) -> str:
    said = await called(main, arguments, {**os.environ, **world.environment})
    assert said.code == 0, said.err
    return said.out


async def _read_models(world: World) -> dict[tuple[Model, str], Any]:
    return {
        (model, document["_id"]): document
        for model in Model
        async for document in Generation(1).collection(world.database, model).find({})
    }


async def _counted(world: World, counter: str) -> int:
    shards = [
        one for (model, _), one in (await _read_models(world)).items() if model is Model.SYSTEM
    ]
    return sum(shard["counters"].get(counter, 0) for shard in shards)


async def _delivered(
    world: World, child_id: str, *, channel: str = "in_app", alerts: int = 1
) -> bool:
    stored = Generation(1).collection(world.database, Model.ALERTS)
    delivered = {"child_id": child_id, f"delivered.{channel}": {"$exists": True}}
    return await stored.count_documents(delivered) >= alerts
