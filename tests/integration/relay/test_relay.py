import asyncio
from collections import defaultdict
from dataclasses import replace
from functools import partial
from itertools import dropwhile
from typing import Any
from unittest.mock import AsyncMock

import orjson
import pytest
from aiokafka.partitioner import DefaultPartitioner
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from command_service.relay import relay as relay_module
from command_service.relay.publisher import open_publisher
from shared.clock import new_id, utc_now
from shared.erasures import ErasureNotice, read_erasures
from shared.event_store.envelope import StreamPosition
from shared.event_store.mongo import MongoEventStore
from shared.events.child import ChildErased
from shared.keyring.erased_list import MongoErasedList
from shared.lease import Lease
from shared.serialization.cloud_events import from_record
from shared.serialization.events import encode
from tests.integration.relay.conftest import (
    FEED_BATCH,
    RunningRelay,
    Surroundings,
    follows,
    has_published,
)
from tests.support.commits import an_offer
from tests.support.kafka import empty_topic, read_all_records, read_records
from tests.support.waiting import STARTED, eventually, until

UNKNOWN_TOKEN = (
    "8260000000000000032B022C0100296E5A100447FEF3CBDEC24D76939D7EE134D4F1A1"
    "463C5F6964003C614031000004"
)
"""Names a change of January 2021 in another server's collection."""


async def _append(store: MongoEventStore, children: int, commits: int, events: int = 1) -> int:
    """Continue or begin the streams of `children` children; the number of events appended."""

    async def extend(child_id: str) -> None:
        history = await store.load(child_id)
        position = history[-1].position if history else StreamPosition()
        for _ in range(commits):
            position = (await store.append(an_offer(child_id, position, events))).position

    await asyncio.gather(*(extend(f"child-{number:03d}") for number in range(children)))
    return children * commits * events


def _versions(records: list[Any]) -> dict[str, list[int]]:
    """The versions of each child in the order in which its partition holds them."""
    versions: dict[str, list[int]] = defaultdict(list)
    for record in records:
        event = from_record(record.value, record.headers)
        versions[event.child_id].append(event.version)
    return versions


async def test_commits_reach_the_topic_as_cloud_events(around: Surroundings) -> None:
    # given a commit from before the relay's first start
    first = await around.store.append(an_offer("child-1", events=2))
    async with around.running_relay() as running:
        await until(has_published(running, 2))
        # when
        second = await around.store.append(an_offer("child-1", first.position))
        await until(has_published(running, 3))
    # then
    records = await read_records(around.bootstrap, around.topic, 3)
    expected = [*first.recorded_events(), *second.recorded_events()]
    assert [from_record(r.value, r.headers) for r in records] == expected
    for record, event in zip(records, expected, strict=True):
        message = KafkaMessage(dict(record.headers), record.key, record.value)
        cloud_event = from_binary_event(message)
        assert cloud_event.get_id() == event.event_id
        assert cloud_event.get_type() == "teddy.child.ChildReactivated.v1"
        assert cloud_event.get_source() == "/teddy/children"
        assert cloud_event.get_subject() == "child-1"
        assert cloud_event.get_time() == event.occurred_at
        assert cloud_event.get_extension("sequence") == str(event.version)
        assert cloud_event.get_data() == orjson.loads(event.data)


async def test_commits_that_only_keep_a_key_are_passed_over_and_leave_no_lag(
    around: Surroundings,
) -> None:
    # given one from before the relay's first start, and a batch of nothing else
    first = await around.store.append(an_offer("child-1"))
    await around.store.append(an_offer("child-1", first.position, events=0, key="key-0"))
    async with around.running_relay() as running:
        await until(follows(running))
        for number in range(1, 4):
            key = f"key-{number}"
            await around.store.append(an_offer("child-1", first.position, events=0, key=key))
        # when
        second = await around.store.append(an_offer("child-1", first.position))
        await until(has_published(running, 2))

        async def nothing_waits() -> bool:
            await running.progress.look()
            return running.progress.lag_events == 0

        # then
        await eventually(nothing_waits)
    records = await read_records(around.bootstrap, around.topic, 2)
    expected = [*first.recorded_events(), *second.recorded_events()]
    assert [from_record(r.value, r.headers) for r in records] == expected


async def test_each_child_s_events_are_in_order_in_the_partition_of_its_key(
    around: Surroundings,
) -> None:
    # given
    async with around.running_relay() as running:
        await until(follows(running))
        # when more is appended than fits one batch of the feed
        total = await _append(around.store, children=30, commits=5, events=2)
        assert total > FEED_BATCH
        await until(has_published(running, total), 20)
    # then
    records = await read_records(around.bootstrap, around.topic, total)
    assert all(versions == list(range(1, 11)) for versions in _versions(records).values())
    partitions = list(range(4))
    for record in records:
        assert record.partition == DefaultPartitioner()(record.key, partitions, partitions)


async def test_a_relay_that_was_stopped_continues_where_it_was(around: Surroundings) -> None:
    # given
    async with around.running_relay() as running:
        await until(follows(running))
        before = await _append(around.store, children=5, commits=4)
        await until(has_published(running, before))
    meanwhile = await _append(around.store, children=5, commits=4)
    # when
    async with around.running_relay() as running:
        await until(has_published(running, before + meanwhile))
    # then nothing is missing and nothing came twice
    records = await read_records(around.bootstrap, around.topic, before + meanwhile)
    assert all(versions == list(range(1, 9)) for versions in _versions(records).values())


async def test_of_two_relays_one_publishes(around: Surroundings) -> None:
    # given
    async with around.running_relay() as first, around.running_relay() as second:
        await until(lambda: follows(first)() or follows(second)())
        # when
        total = await _append(around.store, children=5, commits=10)
        leader = first if first.progress.leading else second
        await until(has_published(leader, total))
        # then
        assert not (first.progress.leading and second.progress.leading)
    records = await read_records(around.bootstrap, around.topic, total)
    assert len(records) == total


async def test_another_relay_takes_over_when_the_leader_dies(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a leader that dies without a word
    async with around.running_relay() as leader:
        await until(follows(leader))
        before = await _append(around.store, children=5, commits=4)
        await until(has_published(leader, before))
        with monkeypatch.context() as dying:
            dying.setattr(Lease, "release", AsyncMock())
            leader.task.cancel()
            await asyncio.wait({leader.task})
    await _append(around.store, children=5, commits=4)

    async def all_is_published() -> bool:
        # what the leader had not noted yet is published again, in its order
        found = [list(dict.fromkeys(each)) for each in (await _all_versions(around)).values()]
        return found == [list(range(1, 9))] * 5

    # when, then
    async with around.running_relay():
        await eventually(all_is_published, STARTED)


@pytest.mark.parametrize("running_when_lost", [True, False])
async def test_a_topic_that_lost_its_records_is_filled_again(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, running_when_lost: bool
) -> None:
    # given
    monkeypatch.setattr(relay_module, "IDLE_SECONDS", 0.2)
    filled = partial(_holds, around, children=10, versions=10)
    async with around.running_relay() as running:
        await until(follows(running))
        total = await _append(around.store, children=10, commits=10)
        await until(has_published(running, total))
        if running_when_lost:
            # when
            await empty_topic(around.bootstrap, around.topic)
            await eventually(filled)
    if not running_when_lost:
        # when
        await empty_topic(around.bootstrap, around.topic)
        async with around.running_relay():
            await eventually(filled)
    # then
    for versions in (await _all_versions(around)).values():
        assert _without_repeats(versions) == list(range(1, 11))


async def test_a_loss_is_noticed_by_the_next_acknowledgement(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a relay that does not look by itself
    monkeypatch.setattr(relay_module, "IDLE_SECONDS", 3_600.0)
    async with around.running_relay() as running:
        await until(follows(running))
        total = await _append(around.store, children=10, commits=10)
        await until(has_published(running, total))
        await empty_topic(around.bootstrap, around.topic)
        # when
        await _append(around.store, children=10, commits=1)
        await eventually(partial(_holds, around, children=10, versions=11), 20)
    # then, behind the acknowledged record by which the loss was noticed
    for versions in (await _all_versions(around)).values():
        published_again = list(dropwhile(lambda version: version == 11, versions))
        assert _without_repeats(published_again) == list(range(1, 12))


async def _holds(around: Surroundings, children: int, versions: int) -> bool:
    """Whether the topic has all `versions` of so many children.

    Its first records need not: it is published as often as consumers need it, and of several
    brokers the quicker one gives repeats before the other gives what is missing.
    """
    found = await _all_versions(around)
    every = set(range(1, versions + 1))
    return len(found) == children and all(set(seen) == every for seen in found.values())


async def _all_versions(around: Surroundings) -> dict[str, list[int]]:
    return _versions(await read_all_records(around.bootstrap, around.topic))


def _without_repeats(versions: list[int]) -> list[int]:
    return list(dict.fromkeys(versions))


async def test_a_consumer_that_stood_behind_the_lost_records_misses_nothing(
    around: Surroundings,
) -> None:
    # given consumers that have read ten records more than the topic has now
    async with around.running_relay() as running:
        await until(follows(running))
        total = await _append(around.store, children=20, commits=3)
        await until(has_published(running, total))
        ends = running.progress.checkpoint.ends
    places = {str(partition): end + 10 for partition, end in ends.items()}
    await around.database["relay"].update_one({}, {"$set": {"ends": places}})

    async def nothing_is_missed() -> bool:
        records = await read_all_records(around.bootstrap, around.topic)
        read = _versions([one for one in records if one.offset >= places[str(one.partition)]])
        return len(read) == 20 and all(set(seen) == {1, 2, 3} for seen in read.values())

    # when / then
    async with around.running_relay():
        await eventually(nothing_is_missed, 60)


async def test_a_token_of_a_lost_history_leads_to_the_whole_store(around: Surroundings) -> None:
    # given
    async with around.running_relay() as running:
        await until(follows(running))
        total = await _append(around.store, children=5, commits=2)
        await until(has_published(running, total))
    await around.database["relay"].update_one({}, {"$set": {"token": {"_data": UNKNOWN_TOKEN}}})
    # when
    async with around.running_relay():
        records = await read_records(around.bootstrap, around.topic, 2 * total)
    # then
    assert all(versions == [1, 2, 1, 2] for versions in _versions(records).values())


async def test_an_idle_relay_has_no_lag_and_a_stand_by_agrees(around: Surroundings) -> None:
    # given
    async with around.running_relay() as leader:
        await until(follows(leader))
        total = await _append(around.store, children=5, commits=4, events=2)
        await until(has_published(leader, total))
        async with around.running_relay() as stand_by:
            # when / then, once the leader has saved how far it came
            for relay in (leader, stand_by):
                await eventually(partial(_reports_no_lag, relay))
            assert not stand_by.progress.leading


async def _reports_no_lag(running: RunningRelay) -> bool:
    await running.progress.look()
    return (running.progress.lag_events, running.progress.lag_seconds) == (0, 0.0)


async def test_what_waits_while_nobody_leads_is_lag(around: Surroundings) -> None:
    # given
    async with around.running_relay() as running:
        await until(follows(running))
        await until(has_published(running, await _append(around.store, 2, 2, events=2)))
    # when
    await _append(around.store, children=2, commits=3, events=2)
    await running.progress.look()
    # then six commits of two events wait
    assert running.progress.lag_events == 12
    assert running.progress.lag_seconds >= 0


async def test_an_erasure_is_told_on_its_own_topic(around: Surroundings) -> None:
    # given
    child_id, at = new_id(), utc_now().replace(microsecond=0)
    registration = await around.store.append(an_offer(child_id))
    erased = encode(ChildErased(child_id=child_id, at=at), 2, None)
    async with around.running_relay() as running:
        await until(follows(running))
        # when
        offer = replace(an_offer(child_id, registration.position), events=(erased,))
        await around.store.append(offer)
        await until(has_published(running, 2))
    # then
    assert (await read_erasures(around.bootstrap))[child_id] == at


async def test_who_is_back_from_an_older_copy_is_erased_before_the_relay_begins(
    around: Surroundings,
) -> None:
    # given a child of whom only the topic knows that it is erased
    child_id = new_id()
    await around.store.append(an_offer(child_id))
    notice = ErasureNotice(child_id, utc_now())
    async with open_publisher(around.bootstrap, around.topic) as publisher:
        await publisher.announce([notice])
    # when
    async with around.running_relay() as running:
        await until(has_published(running, 2))
    # then
    records = await read_records(around.bootstrap, around.topic, 2)
    events = [from_record(record.value, record.headers) for record in records]
    assert [(e.version, e.type) for e in events] == [(1, "ChildReactivated"), (2, "ChildErased")]
    (listed,) = await MongoErasedList(around.database).find([child_id])
    assert (listed.by_role, listed.version) == ("system", 2)
