"""The whole path on the light broker, which serves where Apache Kafka is not available."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local import control, plans
from deploy.local.state import StackFolder
from shared.auth.access import Role
from shared.clock import new_id
from tests.support.callers import client, first_alert
from tests.support.consents import BORN, CONSENTS
from tests.support.own_servers import state_of

HEARD_SECONDS = 60.0


@pytest_asyncio.fixture
async def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StackFolder]:
    """A stack on a machine that reaches no Maven repository and holds no jars."""
    monkeypatch.delenv(plans.KAFKA_BOOTSTRAP, raising=False)
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("TEDDY_MAVEN_REPOSITORY", "http://127.0.0.1:1")
    folder = StackFolder(tmp_path / "stack")
    yield folder
    await asyncio.to_thread(control.down, folder)


async def test_where_the_jars_cannot_be_had_the_light_broker_carries_facts_and_is_named(
    folder: StackFolder,
) -> None:
    # given
    said: list[str] = []
    await asyncio.to_thread(control.up, folder, progress=said.append)
    state = state_of(folder)
    parent_id = f"parent-{new_id()}"
    # when
    async with client(state, Role.PARENT, parent_id) as parent:
        child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
        heard = asyncio.create_task(first_alert(parent, parent_id))
        async with asyncio.timeout(HEARD_SECONDS):
            while not heard.done():
                await parent.report_safety_violation(child["child_id"], "violence", "critical")
                await asyncio.wait({heard}, timeout=0.5)
        profile = await parent.get_child_profile(child["child_id"])
    # then worker, agents and change feed consume from it
    assert profile["version"] > BORN
    assert state.environment["TEDDY_KAFKA_LONG_POLLING"] == "false"
    assert said[0] == "downloading Apache Kafka 4.1.1 (43 MB, once) ..."
    assert state.broker.startswith(
        "the light broker noida-db 0.2.3 (Apache Kafka is not available:"
    )
