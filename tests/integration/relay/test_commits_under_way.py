"""A commit that the primary has, and a majority not yet, while the relay looks where to begin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from pymongo.read_concern import ReadConcern

from command_service.relay.commit_feed import CommitFeed, OpenFeed
from command_service.relay.progress import Checkpoint, Checkpoints
from shared.event_store.commit_documents import COLLECTION
from shared.mongo import Document, Driver
from tests.integration.relay.conftest import Surroundings, has_published, surroundings
from tests.support.commits import an_offer
from tests.support.kafka import read_all_records
from tests.support.own_servers import ReplicaPair, replica_pair
from tests.support.waiting import eventually, until


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[ReplicaPair]:
    async with replica_pair(tmp_path) as pair:
        yield pair


@pytest_asyncio.fixture
async def around_pair(
    pair: ReplicaPair, kafka_bootstrap: str, fresh_database: str, driver: Driver
) -> AsyncIterator[Surroundings]:
    async with surroundings(pair.url, kafka_bootstrap, fresh_database, driver) as around:
        yield around


async def test_a_commit_that_waits_for_its_majority_while_the_relay_begins_is_published(
    around_pair: Surroundings, pair: ReplicaPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a commit that only the primary has when the relay opens its feed
    around = around_pair
    await around.store.append(an_offer("child-1"))
    under_way: list[asyncio.Task[object]] = []
    open_feed = CommitFeed.open
    save = Checkpoints.save

    @asynccontextmanager
    async def open_meanwhile(feed: CommitFeed, after: Document | None) -> AsyncIterator[OpenFeed]:
        if after is None:
            pair.secondary.freeze()
            under_way.append(asyncio.create_task(around.store.append(an_offer("child-2"))))
            local = around.database[COLLECTION].with_options(read_concern=ReadConcern("local"))
            await eventually(lambda: local.count_documents({}), wanted=lambda count: count == 2)
        async with open_feed(feed, after) as opened:
            yield opened

    async def thaw_and_save(to: Checkpoints, fencing: int, checkpoint: Checkpoint) -> None:
        # the relay waits for a majority: the commit under way has it before this has
        pair.secondary.thaw()
        await save(to, fencing, checkpoint)

    monkeypatch.setattr(CommitFeed, "open", open_meanwhile)
    monkeypatch.setattr(Checkpoints, "save", thaw_and_save)
    # when
    async with around.running_relay() as running:
        await until(has_published(running, 2))
        await asyncio.gather(*under_way)
    # then
    records = await read_all_records(around.bootstrap, around.topic)
    assert {record.key for record in records} == {b"child-1", b"child-2"}
