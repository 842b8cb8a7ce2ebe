"""Facts from HTTP to HTTP through everything, also when a process dies in between."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import orjson
import pytest

from deploy.local.state import ProcessState, StackFolder, StackState
from shared.auth.access import Role
from shared.client import TeddyProblem
from shared.clock import new_id
from tests.support.callers import client, first_alert, token
from tests.support.commands import teddy
from tests.support.consents import BORN, CONSENTS
from tests.support.own_servers import state_of
from tests.support.waiting import until

SOON = 30.0
T = TypeVar("T")


async def test_a_write_is_visible_to_the_next_query(running: StackState) -> None:
    async with client(running, Role.PARENT, f"parent-{new_id()}") as parent:
        for number in range(10):
            child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
            await parent.update_child_profile(child["child_id"], age=7 + number % 3)
            profile = await parent.get_child_profile(child["child_id"])

            assert profile["age"] == 7 + number % 3
            assert profile["version"] == BORN + 1


async def test_where_a_command_s_answer_leads_to_can_be_read(running: StackState) -> None:
    parent_id = f"parent-{new_id()}"
    bearer = {"Authorization": f"Bearer {token(running, Role.PARENT, parent_id)}"}
    async with httpx2.AsyncClient(headers=bearer) as http:
        # given
        url = f"{running.environment['TEDDY_COMMAND_URL']}/v1/children"
        wish = {"name": "Mia", "age": 6, "udid": new_id(), "consents": CONSENTS}
        registered = await http.post(url, json=wish)
        # when
        child = await _followed(http, registered, registered.headers["Location"])
        erased = await http.delete(f"{url}/{registered.json()['child_id']}/personal-data")
        receipt = await _followed(http, erased, erased.links["receipt"]["url"])
    # then
    assert (child["name"], child["parent_id"]) == ("Mia", parent_id)
    assert receipt["child_id"] == child["child_id"]


async def _followed(http: httpx2.AsyncClient, answer: httpx2.Response, url: str) -> Any:
    headers = {"Consistency-Token": answer.headers["Consistency-Token"], "Prefer": "wait=10"}
    found = await http.get(url, headers=headers)
    assert found.status_code == 200, found.text
    return found.json()


async def test_a_severe_violation_reaches_the_parents_live_stream(running: StackState) -> None:
    parent_id = f"parent-{new_id()}"
    async with client(running, Role.PARENT, parent_id) as parent:
        child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
        hearing = asyncio.create_task(first_alert(parent, parent_id))
        async with asyncio.timeout(SOON):
            while not hearing.done():
                await parent.report_safety_violation(child["child_id"], "violence", "critical")
                await asyncio.wait({hearing}, timeout=0.5)

    assert hearing.result()["data"]["child_id"] == child["child_id"]


async def test_what_was_erased_is_found_nowhere(running: StackState) -> None:
    async with client(running, Role.PARENT, f"parent-{new_id()}") as parent:
        name = f"Erasmus{new_id()[:8]}"
        child = await parent.register_child(name, 6, new_id(), consents=CONSENTS)
        await parent.get_child_profile(child["child_id"])
        await parent.erase_child(child["child_id"])

        with pytest.raises(TeddyProblem) as refused:
            await parent.get_child_profile(child["child_id"])
        found = await parent.search_children(name=name)

    assert refused.value.code == "child-not-found"
    assert found["items"] == []


async def test_a_family_takes_its_childs_data_away(running: StackState) -> None:
    async with (
        client(running, Role.PARENT, f"parent-{new_id()}") as parent,
        client(running, Role.PARENT, f"parent-{new_id()}") as stranger,
    ):
        child = await parent.register_child("Amelie", 6, new_id(), consents=CONSENTS)
        child_id = child["child_id"]
        await parent.report_safety_violation(child_id, "content", "low", details="told her street")

        export = await parent.export_child(child_id)
        with pytest.raises(TeddyProblem) as refused:
            await stranger.export_child(child_id)
        await parent.erase_child(child_id)
        with pytest.raises(TeddyProblem) as gone:
            await parent.export_child(child_id)

    assert export["profile"]["name"] == export["events"][0]["data"]["name"] == "Amelie"
    assert export["safety"]["violations"][0]["details"] == "told her street"
    assert export["events"][-1]["type"] == "SafetyViolationReported"
    assert refused.value.status == gone.value.status == 404


@pytest.mark.parametrize("process", ["worker", "relay", "query", "command"])
async def test_a_killed_service_is_restarted_and_nothing_is_lost(
    services: StackFolder, process: str
) -> None:
    state = state_of(services)
    async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
        child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
        before = _process(services, process)

        os.kill(before.pid, signal.SIGKILL)
        await until(lambda: _process(services, process).restarts > before.restarts)
        updated = await _retried(lambda: parent.update_child_profile(child["child_id"], age=9))
        profile = await _retried(lambda: parent.get_child_profile(child["child_id"]))

    assert profile["age"] == 9
    assert profile["version"] == updated["version"]


async def test_a_seeded_load_leaves_read_models_equal_to_a_fold_of_the_store(
    services: StackFolder, tmp_path: Path
) -> None:
    history = tmp_path / "history.jsonl"
    numbers = ("--registrations", "60", "--commands", "600", "--concurrency", "16")

    loaded = await teddy(services, "load", "--seed", "7", *numbers, "--history", str(history))
    verified = await teddy(services, "verify", "--wait", "60")

    assert loaded.code == 0, loaded
    assert verified.code == 0, verified
    assert "clean" in verified.out
    acknowledged = _versions(history)
    assert len(acknowledged) == 60
    for child_id, versions in acknowledged.items():
        assert versions == list(range(1, len(versions) + 1)), f"a gap in {child_id}"


async def test_status_shows_every_process_its_lag_and_which_broker_it_is(
    services: StackFolder,
) -> None:
    shown = await teddy(services, "status")

    assert shown.code == 0, shown
    for name in ("mongod", "kafka", "command", "relay", "worker", "query"):
        assert name in shown.out
    assert shown.out.count("events") == 2
    assert f"kafka is {state_of(services).broker}" in shown.out.splitlines()


def _versions(history: Path) -> dict[str, list[int]]:
    """By child, the version of each acknowledged event in the order of the acknowledgements."""
    versions: dict[str, list[int]] = {}
    for line in history.read_bytes().splitlines():
        noted = orjson.loads(line)
        first = noted["version"] - len(noted["events"]) + 1
        versions.setdefault(noted["child_id"], []).extend(range(first, noted["version"] + 1))
    return versions


def _process(folder: StackFolder, name: str) -> ProcessState:
    (found,) = [p for p in state_of(folder).processes if p.name == name]
    return found


async def _retried(call: Callable[[], Awaitable[T]]) -> T:
    """As a patient caller does while a service comes back."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                return await call()
            except Exception as error:
                if isinstance(error, TeddyProblem) and error.status != 503:
                    raise
                await asyncio.sleep(0.1)
