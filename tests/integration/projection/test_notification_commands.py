"""`teddy notifications ...` as an operator calls it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest_asyncio
from click.testing import CliRunner, Result

from projection_worker.notifications.commands import notifications
from shared.events.child import Severity
from shared.mongo import Mongo
from shared.read_models.deliveries import deliveries
from tests.support.projection_facts import MIA, registered, reported
from tests.support.projection_side import ProjectionSide

GIVEN_UP, WAITING = f"{MIA}@2:threshold:in_app", f"{MIA}@3:threshold:in_app"


@dataclass
class Desk:
    """A store with one delivery that was given up and one that waits, and the command line."""

    side: ProjectionSide
    environment: dict[str, str]

    async def run(self, *arguments: str) -> Result:
        runner = CliRunner(env={**self.environment, "COLUMNS": "40"})
        return await asyncio.to_thread(runner.invoke, notifications, arguments)

    async def listed(self, *arguments: str) -> list[Any]:
        result = await self.run("list", "--format", "json", *arguments)
        assert result.exit_code == 0, result.output
        rows: list[Any] = orjson.loads(result.stdout)
        return [(row["delivery"], row["state"], row["last_error"]) for row in rows]


@pytest_asyncio.fixture
async def desk(mongo_url: str, fresh_database: str) -> AsyncIterator[Desk]:
    mongo = Mongo(mongo_url)
    side = ProjectionSide(mongo, mongo.database(fresh_database))
    severe = (reported(number, Severity.CRITICAL) for number in (1, 2))
    await side.project(await side.happened(registered(), *severe))
    given_up = {"$set": {"state": "failed", "last_error": "Status 500", "attempts": 17}}
    await deliveries(side.database).update_one({"_id": GIVEN_UP}, given_up)
    environment = {"TEDDY_READ_MONGO_URL": mongo_url, "TEDDY_READ_DATABASE": fresh_database}
    yield Desk(side, environment)
    await mongo.close()


async def test_what_was_given_up_is_listed_with_its_reason(desk: Desk) -> None:
    assert await desk.listed() == [(GIVEN_UP, "failed", "Status 500")]
    assert await desk.listed("--state", "pending") == [(WAITING, "pending", "")]
    assert len(await desk.listed("--state", "any")) == 2
    assert await desk.listed("--channel", "webhook") == []
    assert GIVEN_UP in (await desk.run("list")).output


async def test_a_dry_run_changes_nothing(desk: Desk) -> None:
    result = await desk.run("redrive", "--all", "--dry-run")

    assert "1 would be retried" in result.output
    assert len(await desk.listed()) == 1


async def test_what_is_redriven_waits_again(desk: Desk) -> None:
    result = await desk.run("redrive", GIVEN_UP)

    assert (result.exit_code, result.output) == (0, "1 will be retried\n")
    assert await desk.listed() == []
    assert len(await desk.listed("--state", "pending")) == 2


async def test_what_cannot_be_meant_ends_with_2(desk: Desk) -> None:
    for arguments in ((), (GIVEN_UP, "--all"), (WAITING,)):
        assert (await desk.run("redrive", *arguments)).exit_code == 2

    assert len(await desk.listed()) == 1
