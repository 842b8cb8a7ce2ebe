"""Rebuilds of a whole running system, as its operators and its users see them."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pymongo
import pytest

from deploy.local.readiness import NotHealthy, service_ready
from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.client import TeddyClient
from shared.clock import new_id
from tests.support import next_release
from tests.support.callers import client, token
from tests.support.commands import teddy_process
from tests.support.consents import CONSENTS
from tests.support.own_servers import own_stack
from tests.support.ports import free_port
from tests.support.processes import process_of
from tests.support.waiting import eventually

SOON = 60.0
NEXT_RELEASE = str(Path(next_release.__path__[0]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    """A stack of these tests' own: others may look at generations, too."""
    with own_stack(tmp_path_factory.mktemp("rebuilt")) as folder:
        yield folder


@pytest.mark.parametrize("source", ["store", "kafka"])
async def test_the_system_serves_while_its_read_models_are_rebuilt(
    folder: StackFolder, state: StackState, source: str
) -> None:
    async with _parent(state) as parent:
        children = [await _a_busy_child(parent) for _ in range(5)]
        async with reading(*_reader(state), children, pause=0.01) as read:
            writing = asyncio.create_task(_go_on(parent, children))
            rebuilt = await teddy_process(
                folder, "replay", "rebuild", "--source", source, "--workers", "2"
            )
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await _newest_versions_are_read(parent, children)

    assert rebuilt.code == 0, rebuilt.err
    assert "is live after" in rebuilt.out
    assert (read.failed, read.backwards) == ([], [])
    assert read.answered > 0
    verified = await teddy_process(folder, "verify", "--wait", "20")
    assert verified.code == 0, verified.out


async def test_a_changed_projection_reaches_users_without_a_pause(
    folder: StackFolder, state: StackState
) -> None:
    # given profiles as the last release computed them
    async with _parent(state) as parent:
        child_id = await _a_busy_child(parent)
        before = await parent.get_child_profile(child_id)
        assert before["profile_completeness"] < 100.0

        # when workers of the next release run beside the others, and its rebuild
        async with reading(*_reader(state), [child_id], pause=0.01) as read:
            async with _worker_of_the_next_release(state) as waiting:
                # then it says that it projects nothing, and which command helps
                await eventually(lambda: _waits_for_a_rebuild(waiting), SOON)
                rebuilt = await teddy_process(folder, "replay", "rebuild", PYTHONPATH=NEXT_RELEASE)
                assert rebuilt.code == 0, rebuilt.err
                await parent.update_child_profile(child_id, age=9)

                # then users see the new formula, and the document has the new field
                await eventually(
                    lambda: parent.get_child_profile(child_id),
                    SOON,
                    lambda now: (now["profile_completeness"], now["age"]) == (100.0, 9),
                )
                assert _live_document(state, child_id)["newest_event"] == "ChildProfileUpdated"

                # and the way back is open: the last release kept its generation current
                back = await teddy_process(folder, "replay", "rollback", PYTHONPATH=NEXT_RELEASE)
                assert back.code == 0, back.err
            await eventually(
                lambda: parent.get_child_profile(child_id),
                SOON,
                lambda now: now["profile_completeness"] == before["profile_completeness"],
            )

    assert (read.failed, read.backwards) == ([], [])


@dataclass(slots=True)
class Read:
    """What readers saw: answers, those that were none, and children that went back in time."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    backwards: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    def saw(self, child_id: str, version: int) -> None:
        self.answered += 1
        before = self.versions.get(child_id, 0)
        if version < before:
            self.backwards.append(f"{child_id}: version {before}, then {version}")
        self.versions[child_id] = max(before, version)


@asynccontextmanager
async def reading(
    url: str, token: str, child_ids: Sequence[str], readers: int = 4, pause: float = 0.0
) -> AsyncIterator[Read]:
    """`readers` ask for profiles of `child_ids`, each its own ones, as long as the block."""
    read = Read()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30.0) as http:
        readers = min(readers, len(child_ids))
        shares = [child_ids[number::readers] for number in range(readers)]
        tasks = [asyncio.create_task(_read(http, share, read, pause)) for share in shares]
        try:
            yield read
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            lost = [e for e in ended if isinstance(e, Exception)]
            read.failed += [f"reader ended: {error!r}" for error in lost]


async def _read(
    http: httpx2.AsyncClient, child_ids: Sequence[str], read: Read, pause: float
) -> None:
    chance = random.Random(7)
    while True:
        child_id = chance.choice(child_ids)
        try:
            response = await http.get(f"/v1/children/{child_id}")
        except httpx2.TransportError as error:
            read.failed.append(f"{child_id}: {type(error).__name__}")
            continue
        if response.status_code == 200:
            read.saw(child_id, orjson.loads(response.content)["version"])
        else:
            read.failed.append(f"{child_id}: {response.status_code} {response.text[:100]}")
        await asyncio.sleep(pause)


@asynccontextmanager
async def _parent(state: StackState) -> AsyncIterator[TeddyClient]:
    async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
        yield parent


def _reader(state: StackState) -> tuple[str, str]:
    return state.environment["TEDDY_QUERY_URL"], token(state, Role.ADMIN, "reader")


async def _a_busy_child(parent: TeddyClient) -> str:
    child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
    child_id = str(child["child_id"])
    for _ in range(3):
        await parent.report_safety_violation(child_id, "rude_words", "low")
    await parent.get_child_profile(child_id)
    return child_id


async def _go_on(parent: TeddyClient, children: list[str]) -> None:
    """Something happens to each of them, until cancelled."""
    while True:
        for child_id in children:
            await parent.report_safety_violation(child_id, "rude_words", "low")


async def _newest_versions_are_read(parent: TeddyClient, children: list[str]) -> None:
    for child_id in children:
        done = await parent.update_child_profile(child_id, age=8)
        profile = await parent.get_child_profile(child_id)
        assert profile["version"] == done["version"]


@asynccontextmanager
async def _worker_of_the_next_release(state: StackState) -> AsyncIterator[str]:
    """Its address."""
    port = free_port()
    environment = {
        **state.environment,
        "PYTHONPATH": NEXT_RELEASE,
        "TEDDY_WORKER_PORT": str(port),
        "TEDDY_WORKER_INSTANCE_ID": "next-release",
    }
    async with process_of("projection_worker", environment, asyncio.subprocess.DEVNULL) as process:
        yield f"127.0.0.1:{port}"
        process.terminate()
        await process.wait()


async def _waits_for_a_rebuild(worker: str) -> bool:
    try:
        await service_ready(worker)
    except httpx2.TransportError:
        return False
    except NotHealthy as refusal:
        (warning, *more) = refusal.report.warnings or ("",)
        waits = warning.startswith("waits for a rebuild to projections ")
        return waits and warning.endswith(": run `teddy replay rebuild`") and not more
    return False


def _live_document(state: StackState, child_id: str) -> dict[str, Any]:
    with pymongo.MongoClient[dict[str, Any]](state.environment["TEDDY_READ_MONGO_URL"]) as mongo:
        database = mongo["teddy_read"]
        pointer = database["read_model_pointer"].find_one()
        assert pointer is not None
        document = database[f"children__g{pointer['generation']}"].find_one({"_id": child_id})
        assert document is not None
        return document
