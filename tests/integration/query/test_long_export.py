"""A child of many events is exported from MongoDB page by page, while others have their turn."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from query_service.queries.exporter import AT_A_TIME, BETWEEN_CURSORS, PAGE, ExportCursors, Exporter
from query_service.read_store.port import VIOLATIONS_APART
from query_service.read_store.whole_child import MongoWholeChild
from shared.clock import new_id
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.keyring.key_file import FileKeyProvider
from shared.keyring.keyring import Keyring
from shared.mongo import Database, Mongo
from shared.read_models.documents import Model
from shared.read_models.generations import Generation, begin_catalog
from shared.read_models.indexes import ensure_read_model_indexes
from tests.fakes.keys import MemoryKeyStore
from tests.support.command_side import KEYS
from tests.support.event_samples import AT
from tests.support.exported_child import CountedEvents, CountedPages
from tests.support.exports import cursors_of, records_of
from tests.support.histories import history, insert_history
from tests.support.read_model_builders import (
    NOON,
    child_document,
    conversation_document,
    safety_document,
    violation,
)

EVENTS, VIOLATIONS, CONVERSATIONS = 20_000, 1_500, 2_500


@dataclass
class LongLife:
    child_id: str
    exporter: Exporter
    pages: CountedPages

    async def written(self, cursor: str | None = None) -> bytes:
        start = await self.exporter.start(self.child_id, cursor)
        return b"".join([some async for some in self.exporter.lines(self.child_id, start)])


@pytest.fixture
async def long_life(mongo_url: str, fresh_database: str) -> AsyncIterator[LongLife]:
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    child_id = new_id()
    keyring = Keyring(FileKeyProvider(KEYS), MemoryKeyStore())
    await _write_read_models(database, child_id)
    await ensure_indexes(database)
    await insert_history(database, keyring, child_id, history(child_id, EVENTS, AT))
    events = MongoEventStore(database)
    pages = CountedPages(MongoWholeChild(database), events)
    cursors = ExportCursors(bytes(32))
    exporter = Exporter(pages, CountedEvents(pages), keyring, cursors)
    yield LongLife(child_id, exporter, pages)
    await events.close()
    await mongo.close()


async def _write_read_models(database: Database, child_id: str) -> None:
    generation = (await begin_catalog(database, VIOLATIONS_APART)).live
    await ensure_read_model_indexes(database, generation)
    models = Generation(generation.number).collections(database)
    await models[Model.CHILDREN].insert_one(dict(child_document(child_id)))
    safety: dict[str, Any] = {**safety_document(child_id)}
    safety.pop("violations", None)
    await models[Model.SAFETY].insert_one(safety)
    talks = [
        dict(conversation_document(child_id, f"t-{n}", started_at=NOON + timedelta(minutes=n)))
        for n in range(CONVERSATIONS)
    ]
    await models[Model.CONVERSATIONS].insert_many(talks)
    violations = [
        {**violation(f"v-{n}", at=NOON), "_id": f"{child_id}/v-{n}", "child_id": child_id}
        for n in range(VIOLATIONS)
    ]
    await models[Model.VIOLATIONS].insert_many(violations)


async def _turns(counted: list[int]) -> None:
    while True:
        counted[0] += 1
        await asyncio.sleep(0)


async def test_a_long_life_is_exported_a_page_at_a_time_and_others_have_their_turn(
    long_life: LongLife,
) -> None:
    # given somebody else on the same event loop
    counted = [0]
    other = asyncio.create_task(_turns(counted))
    # when
    body = await long_life.written()
    other.cancel()
    # then
    records = records_of(body)
    assert records[-1]["counts"] == {
        "profile": 1,
        "safety": 1,
        "violation": VIOLATIONS,
        "conversation": CONVERSATIONS,
        "activity": 0,
        "alert": 0,
        "event": EVENTS,
    }
    versions = [record["version"] for record in records if record["kind"] == "event"]
    assert versions == list(range(1, EVENTS + 1))
    talks = [record["conversation_id"] for record in records if record["kind"] == "conversation"]
    assert talks == [f"t-{n}" for n in range(CONVERSATIONS)]
    assert long_life.pages.largest == PAGE
    assert counted[0] >= len(records) // AT_A_TIME


async def test_a_long_life_goes_on_from_a_cursor(long_life: LongLife) -> None:
    # given
    body = await long_life.written()
    cursors = cursors_of(body)
    assert len(cursors) >= (EVENTS + VIOLATIONS + CONVERSATIONS) // (BETWEEN_CURSORS + PAGE)
    for cursor in (cursors[0], cursors[len(cursors) // 2], cursors[-1]):
        # when
        continued = await long_life.written(cursor)
        # then
        assert body.endswith(cursor.encode() + b'"}\n' + continued)
