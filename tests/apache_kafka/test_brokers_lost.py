"""Brokers that die or restart under load: acknowledged commands stay, and everything arrives."""

import time

from deploy.local.state import StackFolder, StackState
from shared.kafka import ALL_TOPICS, CHILD_EVENTS
from tests.apache_kafka.cluster import KafkaCluster
from tests.apache_kafka.conftest import Measured
from tests.apache_kafka.load import load_on
from tests.apache_kafka.proof import (
    RelayLog,
    lag_of,
    nothing_is_lost,
    published_events,
    records_by_place,
)
from tests.support.waiting import eventually, until

EVENTS = CHILD_EVENTS.name


async def test_each_topic_of_the_project_is_kept_three_times(
    cluster: KafkaCluster, running: StackState
) -> None:
    partitions = (await cluster.seen_by(1)).partitions

    copies = {
        topic.name: {
            len(part.replicas) for (name, _), part in partitions.items() if name == topic.name
        }
        for topic in ALL_TOPICS
    }
    assert copies == {topic.name: {3} for topic in ALL_TOPICS}


async def test_a_leader_killed_under_load_loses_nothing(
    cluster: KafkaCluster, running: StackState, measured: Measured
) -> None:
    async with load_on(running) as load:
        # when
        leader = await cluster.leader_of(EVENTS)
        await cluster.kill(leader)
        await load.goes_on(300)
        await cluster.start(leader)
        back = time.monotonic()
        await load.goes_on()
    # then
    measured(await nothing_is_lost(running, load, back))


async def test_with_two_of_three_brokers_down_commands_go_on_and_nothing_is_published(
    cluster: KafkaCluster, running: StackState, measured: Measured
) -> None:
    async with load_on(running) as load:
        # given one broker alone: no majority of controllers, no second copy
        leader = await cluster.leader_of(EVENTS)
        others = cluster.numbers - {leader}
        await cluster.kill(*others)
        await load.goes_on()
        published = await published_events(running)
        # when
        await load.goes_on(400)
        # then what is acknowledged waits in the event store, and the relay says how much
        assert await published_events(running) == published
        await eventually(lambda: lag_of(running, "relay"), 10, lambda lag: lag >= 400)
        # when
        await cluster.start(*others)
        back = time.monotonic()
    # then
    measured(await nothing_is_lost(running, load, back))


async def test_a_record_that_finds_too_few_copies_is_sent_until_it_finds_them(
    cluster: KafkaCluster, running: StackState, services: StackFolder, measured: Measured
) -> None:
    # given controllers that still have a majority, and one copy fewer than is demanded
    relay_log = RelayLog(services)
    await cluster.demand_copies(CHILD_EVENTS, 3)
    await cluster.kill(1)
    await cluster.until_in_sync(EVENTS, 2)
    async with load_on(running) as load:
        await until(lambda: relay_log.mentions("NotEnoughReplicas"), 30)
        published = await published_events(running)
        await load.goes_on(300)
        assert await published_events(running) == published
        # when
        await cluster.demand_copies(CHILD_EVENTS, 2)
        enough = time.monotonic()
        await load.goes_on()
    # then it needs no third broker
    measured(await nothing_is_lost(running, load, enough))


async def test_what_was_acknowledged_survives_the_sudden_end_of_all_brokers_at_once(
    cluster: KafkaCluster, running: StackState, services: StackFolder, measured: Measured
) -> None:
    relay_log = RelayLog(services)
    async with load_on(running) as load:
        # given
        before = await records_by_place(cluster.bootstrap)
        # when
        await cluster.kill(*cluster.numbers)
        await load.goes_on(200)
        await cluster.repair()
        back = time.monotonic()
        await load.goes_on()
    counted = await nothing_is_lost(running, load, back)
    # then each record is where it was, and the relay had no reason to publish the store again
    after = await records_by_place(cluster.bootstrap)
    assert before.items() <= after.items()
    assert not relay_log.mentions("relay_resume_impossible")
    measured(f"{counted}; {len(before):,} records are where they were")


async def test_a_rolling_restart_of_all_brokers_under_load_loses_nothing(
    cluster: KafkaCluster, running: StackState, measured: Measured
) -> None:
    began = time.monotonic()
    async with load_on(running) as load:
        # when
        for number in sorted(cluster.numbers):
            await cluster.stop(number)
            await load.goes_on()
            await cluster.start(number)
        back = time.monotonic()
        await load.goes_on()
    # then
    counted = await nothing_is_lost(running, load, back)
    measured(f"{counted}; the restarts took {back - began:.0f} s")
