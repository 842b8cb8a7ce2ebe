"""Losses that come one after the other: consumers stand where they had read to, and read on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiokafka.errors import KafkaError

from command_service.relay.progress import Progress
from shared.event_store.envelope import StreamPosition
from tests.support.commits import an_offer
from tests.support.forgetful_topic import ForgetfulTopic, StoreWithFeed, a_relay
from tests.support.waiting import until

CHILDREN = ("anna", "ben")
ANNA, BEN = range(2)
COMMITS = 5


@pytest.fixture
def topic() -> ForgetfulTopic:
    return ForgetfulTopic(CHILDREN)


@pytest.fixture
def source() -> StoreWithFeed:
    return StoreWithFeed(size=3)


@asynccontextmanager
async def _running(source: StoreWithFeed, topic: ForgetfulTopic) -> AsyncIterator[Progress]:
    """A relay that has published all there is and follows the feed."""
    relay, progress = a_relay(source, topic)
    task = asyncio.create_task(relay.run())
    try:
        await until(lambda: progress.checkpoint.token is not None)
        yield progress
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _append(source: StoreWithFeed, children: Sequence[str], commits: int = 1) -> None:
    for child_id in children:
        for _ in range(commits):
            history = await source.store.load(child_id)
            position = history[-1].position if history else StreamPosition()
            await source.append(an_offer(child_id, position))


def _missed(topic: ForgetfulTopic) -> dict[str, set[int]]:
    """The versions by child that consumers do not find who read on where they stood."""
    found = topic.versions_found()
    missed = {child_id: set(range(1, COMMITS + 1)) - found[child_id] for child_id in CHILDREN}
    return {child_id: versions for child_id, versions in missed.items() if versions}


async def _until_published_again(topic: ForgetfulTopic, progress: Progress, after: int) -> None:
    await until(lambda: topic.publications > after and progress.checkpoint.token is not None)


async def test_what_was_read_of_a_partition_when_another_s_loss_was_noticed_is_remembered(
    source: StoreWithFeed, topic: ForgetfulTopic
):
    # given
    await _append(source, CHILDREN, COMMITS)
    async with _running(source, topic) as progress:
        done = topic.publications
        # when a publication shows the loss of one partition, and the other one, which took its
        # part, loses that next
        topic.before[done + 1] = partial(topic.lose, ANNA, kept=COMMITS - 1)
        topic.after[done + 1] = partial(topic.lose, BEN, kept=COMMITS)
        await _append(source, ["anna"])
        await _append(source, ["ben"], 2)
        await _until_published_again(topic, progress, done + 1)
    # then
    assert topic.read_up_to == {ANNA: COMMITS, BEN: COMMITS + 2}
    assert _missed(topic) == {}


async def test_a_loss_while_the_store_is_published_again_does_not_hide_the_one_before(
    source: StoreWithFeed, topic: ForgetfulTopic
):
    # given
    await _append(source, CHILDREN, COMMITS)
    async with _running(source, topic) as progress:
        done = topic.publications
        # when
        topic.before[done + 1] = partial(topic.lose, ANNA)
        topic.before[done + 3] = partial(topic.lose, ANNA, kept=1)
        await _append(source, ["anna"])
        await _until_published_again(topic, progress, done + 3)
    # then
    assert topic.read_up_to[ANNA] == COMMITS
    assert _missed(topic) == {}


async def test_what_was_published_again_before_the_broker_failed_may_have_been_read(
    source: StoreWithFeed, topic: ForgetfulTopic
):
    def fail() -> None:
        topic.lose(ANNA, kept=COMMITS)
        raise KafkaError("the broker was killed")

    # given
    await _append(source, CHILDREN, COMMITS)
    async with _running(source, topic) as progress:
        done = topic.publications
        # when
        topic.before[done + 1] = partial(topic.lose, ANNA)
        topic.before[done + 4] = fail
        await _append(source, ["anna"])
        await _until_published_again(topic, progress, done + 4)
    # then
    assert topic.read_up_to[ANNA] > COMMITS + 1
    assert _missed(topic) == {}
