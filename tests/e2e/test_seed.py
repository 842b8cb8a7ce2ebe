"""`teddy seed` on a stack of its own: what it wrote verifies, and everything goes on with it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pymongo
import pytest

from deploy.local import control
from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.client.answers import ChildProfile
from tests.support.callers import client, token
from tests.support.commands import Said, teddy
from tests.support.waiting import eventually

CHILDREN = 60
SOON = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StackFolder]:
    folder = StackFolder(tmp_path / "stack")
    yield folder
    control.down(folder)


async def seed(folder: StackFolder, *options: str, children: int = CHILDREN) -> Said:
    return await teddy(folder, "seed", "--children", str(children), "--workers", "2", *options)


async def test_a_stack_goes_on_with_seeded_children(folder: StackFolder) -> None:
    # given: only the servers run
    await asyncio.to_thread(control.up, folder, servers_only=True)
    seeded = await seed(folder)
    assert seeded.code == 0, seeded
    assert "clean: read models, versions, hash chains and counters agree" in seeded.out
    # when / then: it is done once
    again = await seed(folder)
    assert again.code == 2
    assert again.err == f"teddy: seed 7 is there already: {CHILDREN} children of 6 events; " + (
        "--seed N adds others\n"
    )
    # when: all run
    await asyncio.to_thread(control.down, folder)
    state = await asyncio.to_thread(control.up, folder)
    # then
    await _goes_on(state)
    await _is_not_published(state)
    running = await seed(folder, "--seed", "8")
    assert running.code == 2
    assert "a relay publishes this event store" in running.err
    verified = await teddy(folder, "verify")
    assert verified.code == 0, verified
    audited = await teddy(folder, "audit", "verify")
    assert audited.code == 0, audited


async def _goes_on(state: StackState) -> None:
    async with client(state, Role.ADMIN, "admin") as staff:
        found = await staff.search_children(limit=100)
        deactivated = await staff.search_children(status="deactivated", limit=100)
        analytics = await staff.get_system_analytics()
    assert len(found["items"]) == CHILDREN
    assert analytics["children"]["deactivated"] == len(deactivated["items"])
    assert None not in {child["name"] for child in found["items"]}
    one = next(child for child in found["items"] if child["status"] == "active")
    async with client(state, Role.PARENT, one["parent_id"]) as parent:
        await parent.update_child_profile(one["child_id"], name="Renamed")
        profile = await parent.get_child_profile(one["child_id"])
        assert profile["name"] == "Renamed"
        refused = await _registered_again(state, one["parent_id"], profile)
        assert refused.json()["code"] == "udid-taken"


async def _registered_again(
    state: StackState, parent_id: str, profile: ChildProfile
) -> httpx2.Response:
    """Another child with the bear of a seeded one."""
    account = {"purpose": "account", "notice_version": "1", "method": "payment_card"}
    number = str(profile["device_id"]).removeprefix("seed-bear-")
    body = {"name": "Eve", "age": 5, "udid": f"seed-udid-{number}", "consents": [account]}
    headers = {"Authorization": f"Bearer {token(state, Role.PARENT, parent_id)}"}
    url = f"{state.environment['TEDDY_COMMAND_URL']}/v1/children"
    async with httpx2.AsyncClient(headers=headers) as http:
        return await http.post(url, json=body)


async def _is_not_published(state: StackState) -> None:
    """The relay has nothing to do but what came later."""
    url = f"http://127.0.0.1:{state.ports['relay']}"

    async def metrics() -> dict[str, float]:
        async with httpx2.AsyncClient() as http:
            lines = (await http.get(f"{url}/metrics")).text.splitlines()
        named = (line.split() for line in lines if line.startswith("teddy_relay_"))
        return {name: float(value) for name, value in named}

    async def has_caught_up() -> bool:
        return (await metrics())["teddy_relay_lag_events"] == 0

    await eventually(has_caught_up, SOON)
    assert (await metrics())["teddy_relay_leader"] == 1


async def test_a_run_that_was_ended_goes_on_where_it_was(folder: StackFolder) -> None:
    # given: one that was killed when it had written some
    state = await asyncio.to_thread(control.up, folder, servers_only=True)
    first = await seed(folder, "--no-verify", children=600)
    assert first.code == 0, first
    mongo = await asyncio.to_thread(_begun_again, state)
    # when
    again = await seed(folder, children=600)
    # then
    assert again.code == 0, again
    assert "verify: 600 children" in again.out
    assert mongo > 1
    another = await seed(folder, children=700)
    assert another.code == 2


def _begun_again(state: StackState) -> int:
    """As if the run had been killed before any part was noted."""
    with pymongo.MongoClient[dict[str, object]](
        state.environment["TEDDY_WRITE_MONGO_URL"]
    ) as mongo:
        seeds = mongo[state.environment.get("TEDDY_WRITE_DATABASE", "teddy_write")]["seeds"]
        seeds.update_one({"_id": "7"}, {"$set": {"done": False}})
        return seeds.delete_many({"_id": {"$regex": "^7/"}}).deleted_count
