"""Who looked at a child, and the evidence over HTTP, where the trail is on MongoDB."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest
import pytest_asyncio
from pymongo.database import Database

from query_service.api.evidence import Evidence, EvidenceTooLong
from shared.audit.block_check import Report
from shared.audit.looks import looks_at
from shared.audit.process import AuditProcess
from shared.audit.record import Record
from shared.audit.signed_trail import signed_trail
from shared.clock import utc_now
from shared.event_store.mongo import MongoEventStore
from shared.mongo import Mongo
from tests.fakes.audit import MemoryAuditTrail
from tests.integration.audit.conftest import World
from tests.support.child_facts import ADA, VIOLATION


async def test_the_list_is_that_of_the_command_line(world: World):
    said = await world.teddy("audit", "show", "--child", ADA, "--format", "json")
    shown = [orjson.loads(line) for line in said.out.splitlines()]
    process, report = AuditProcess(world.settings, "query"), Report()
    found: list[Record] = []
    after = None
    while True:
        looks = await looks_at(process.readable(20), ADA, after, 2, report)
        found += looks.records
        after = looks.reached
        if after is None:
            break
    await process.mongo.close()
    assert found == shown
    assert report.findings == []


async def test_the_index_gives_a_page_without_sorting_the_childs_blocks(world: World):
    database: Database[dict[str, Any]] = pymongo.MongoClient(world.url)[world.database]
    last = {"$gte": utc_now().replace(year=2000), "$lte": utc_now()}
    condition = {"children": ADA, "since": last, "$or": [{"since": last}, {"_id": {"$lte": "q"}}]}
    plan = database["audit_blocks"].find(condition).sort({"since": -1, "_id": -1}).explain()
    database.client.close()
    winning = str(plan["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in winning
    assert "SORT" not in winning


@pytest_asyncio.fixture
async def made(world: World) -> AsyncIterator[Evidence]:
    process, mongo = AuditProcess(world.settings, "query"), Mongo(world.url)
    events = MongoEventStore(mongo.database(world.database), timeout_seconds=20)
    readable = process.readable(20)
    record = MemoryAuditTrail()
    yield Evidence(events, lambda: signed_trail(world.settings, readable), record, utc_now, 60)
    await events.close()
    await mongo.close()
    await process.mongo.close()


async def test_the_file_of_the_api_is_one_that_the_command_line_verifies(
    world: World, made: Evidence, tmp_path: Path
):
    file = tmp_path / "evidence.json"
    file.write_bytes(await made.file(ADA, VIOLATION))
    said = await world.verify_file("evidence", "verify", str(file))
    assert said.code == 0, said.out + said.err
    assert "officer-1 (safety_officer)  ReportSafetyViolation" in said.out
    assert "no tampering found" in said.out


async def test_a_read_that_takes_too_long_ends(made: Evidence):
    made.most_seconds = 0.001
    with pytest.raises(EvidenceTooLong):
        await made.file(ADA, VIOLATION)
