"""`teddy dead-letter ...` as an operator calls it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from deploy.topics import apply_topics
from projection_worker.dead_letters.commands import dead_letter
from projection_worker.records import Delivered, deliver
from shared.clock import new_id
from shared.event_store.mongo import MongoEventStore, ensure_indexes
from shared.kafka import CHILD_EVENTS
from shared.keyring.key_file import create_key_file
from shared.mongo import Mongo
from shared.read_models.indexes import ensure_read_model_indexes
from tests.support.kafka import REPLICATION
from tests.support.processes import store_settings
from tests.support.projection_facts import registered, updated
from tests.support.projection_side import GENERATION, ProjectionSide

POISON = b'\x1b[31m{"age": \xff\x00}'


@dataclass
class Desk:
    """A database with one dead-lettered child, and the command line."""

    side: ProjectionSide
    environment: dict[str, str]
    child: str
    poisoned: Delivered

    async def run(self, *arguments: str) -> Result:
        runner = CliRunner(env={**self.environment, "COLUMNS": "40"})
        return await asyncio.to_thread(runner.invoke, dead_letter, arguments)

    async def listed(self) -> Any:
        result = await self.run("list", "--format", "json")
        assert result.exit_code == 0, result.output
        return orjson.loads(result.stdout)

    async def kept(self) -> list[Any]:
        """Everything that a command might touch."""
        letters = self.side.database["dead_letters"].find({}, sort=[("_id", 1)])
        marks = self.side.database["parked_children"].find({}, sort=[("_id", 1)])
        return [await letters.to_list(None), await marks.to_list(None)]


@pytest_asyncio.fixture
async def desk(
    mongo_url: str, kafka_bootstrap: str, fresh_database: str, tmp_path: Path
) -> AsyncIterator[Desk]:
    create_key_file(tmp_path / "keys.json")
    await apply_topics(kafka_bootstrap, REPLICATION, [CHILD_EVENTS])
    mongo = Mongo(mongo_url)
    database = mongo.database(fresh_database)
    await ensure_indexes(database)
    await ensure_read_model_indexes(database, GENERATION)
    side = ProjectionSide(mongo, database)
    store = MongoEventStore(database)
    side.store = store
    side.projector = side.another_projector()
    child = new_id()
    life = [replace(one, child_id=child) for one in (registered(), updated(age=8), updated(age=9))]
    first, second, third = await side.happened(*life)
    poisoned = deliver(replace(second.raw, value=POISON))
    await side.project([first, poisoned, third])
    environment = {
        **store_settings(mongo_url, fresh_database, "WRITE", "READ", "KEYS"),
        "TEDDY_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "TEDDY_KEY_FILE": str(tmp_path / "keys.json"),
    }
    yield Desk(side, environment, child, poisoned)
    await store.close()
    await mongo.close()


async def test_the_list_tells_whose_records_are_dead_lettered_and_why(desk: Desk):
    (row,) = await desk.listed()
    assert (row["child_id"], row["records"], row["generation"]) == (desk.child, 2, 1)
    assert row["reason"].startswith("UndecodableEvent")
    # as a table
    table = await desk.run("list", "--child", desk.child)
    assert desk.child in table.output
    assert "UndecodableEvent" in table.output


async def test_a_record_is_shown_whole_and_steers_no_terminal(desk: Desk):
    shown = await desk.run("show", desk.poisoned.raw.identity)
    assert shown.exit_code == 0
    assert r"\x1b[31m" in shown.output
    assert "\x1b" not in shown.output
    for part in ("ce_type: teddy.child.ChildProfileUpdated", "UndecodableEvent", "Traceback"):
        assert part in shown.output


async def test_a_childs_records_are_shown_in_order(desk: Desk):
    shown = await desk.run("show", "--child", desk.child)
    assert shown.output.index("UndecodableEvent") < shown.output.index("BehindDeadLettered")


async def test_the_bytes_can_be_had_as_they_came(desk: Desk, tmp_path: Path):
    file = tmp_path / "value.bin"
    assert (await desk.run("show", desk.poisoned.raw.identity, "--raw", str(file))).exit_code == 0
    assert file.read_bytes() == POISON


@pytest.mark.parametrize(
    "command", [("redrive",), ("redrive", "--from-store"), ("discard",), ("discard", "--force")]
)
async def test_a_dry_run_changes_nothing(desk: Desk, command: tuple[str, ...]):
    before = await desk.kept()
    rehearsed = await desk.run(*command, "--child", desk.child, "--dry-run")
    assert rehearsed.exit_code == 0
    assert rehearsed.stdout.endswith("dry run: nothing was changed\n")
    assert await desk.kept() == before


@pytest.mark.parametrize("command", [("redrive",), ("discard", "--force")])
async def test_a_dry_run_shows_what_is_done_without_it(desk: Desk, command: tuple[str, ...]):
    really = ("--yes",) if command[0] == "discard" else ()
    rehearsed = await desk.run(*command, "--child", desk.child, "--dry-run")
    done = await desk.run(*command, "--child", desk.child, *really)
    assert done.stdout == rehearsed.stdout.replace("dry run: nothing was changed\n", "")


async def test_a_redriven_child_is_dead_lettered_no_more(desk: Desk):
    redriven = await desk.run("redrive", "--all", "--limit", "1", "--from-store")
    assert redriven.exit_code == 0, redriven.output
    assert desk.child in redriven.output
    assert await desk.listed() == []
    # when nothing is left
    again = await desk.run("redrive", "--all")
    assert (again.exit_code, again.stdout) == (0, "nothing is dead-lettered\n")


async def test_what_is_needed_is_discarded_only_with_force(desk: Desk):
    before = await desk.kept()
    refused = await desk.run("discard", "--child", desk.child, "--yes")
    assert refused.exit_code == 2
    assert "the read models lack 2 of these records" in refused.stderr
    assert await desk.kept() == before
    # when
    forced = await desk.run("discard", "--child", desk.child, "--yes", "--force")
    # then
    assert forced.exit_code == 0
    assert await desk.listed() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--child", "nobody"),
        ("list", "--limit", "0"),
        ("list", "--format", "xml"),
        ("show",),
        ("show", "topic/0/1", "--child", "CHILD"),
        ("show", "topic/0/1"),
        ("show", "rubbish"),
        ("show", "--child", "CHILD", "--raw", "new-file"),
        ("show", "--child", "nobody"),
        ("redrive",),
        ("redrive", "--child", "CHILD", "--all"),
        ("redrive", "--child", "CHILD", "--limit", "1"),
        ("redrive", "--child", "nobody"),
        ("discard", "--child", "CHILD"),
        ("discard", "--child", "CHILD", "--yes", "--dry-run"),
        ("discard", "--yes"),
        ("discard", "topic/0/x", "--yes"),
    ],
)
async def test_what_cannot_be_meant_is_refused_and_touches_nothing(
    desk: Desk, arguments: tuple[str, ...]
):
    before = await desk.kept()
    refused = await desk.run(*(each.replace("CHILD", desk.child) for each in arguments))
    assert refused.exit_code == 2
    assert refused.stderr.splitlines()[-1].startswith("Error: ")
    assert await desk.kept() == before
    assert not Path("new-file").exists()


async def test_the_bytes_overwrite_no_file(desk: Desk, tmp_path: Path):
    file = tmp_path / "mine"
    file.write_bytes(b"mine")
    refused = await desk.run("show", desk.poisoned.raw.identity, "--raw", str(file))
    assert refused.exit_code == 2
    assert file.read_bytes() == b"mine"


async def test_without_a_broker_nothing_is_touched(desk: Desk):
    before = await desk.kept()
    desk.environment["TEDDY_KAFKA_BOOTSTRAP"] = "127.0.0.1:1"
    failed = await desk.run("redrive", "--child", desk.child)
    assert failed.exit_code == 1
    assert await desk.kept() == before
