"""The key that wraps all others is replaced while a whole system serves, and is killed midway."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pymongo
import pytest

from deploy.local.state import StackFolder, StackState
from deploy.proofs.key_rotation import BATCH
from shared.auth.access import Role
from shared.client import TeddyClient
from shared.clock import new_id
from shared.keyring.key_file import FileKeyProvider, read_key_file
from shared.settings import KeyringSettings
from tests.support.callers import client
from tests.support.commands import teddy
from tests.support.consents import CONSENTS
from tests.support.own_servers import own_stack
from tests.support.waiting import until

MORE_THAN_TWO_BATCHES = 2 * BATCH + 10
LAST = "zzz"
"""After every child's id: in no rotation's first batch."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    """A stack of this test's own: its keys are its own, too."""
    with own_stack(tmp_path_factory.mktemp("rotated")) as folder:
        yield folder


async def test_registrations_during_a_rotation_are_readable_after_the_old_key_is_gone(
    folder: StackFolder, state: StackState
) -> None:
    # given
    path = Path(state.environment["TEDDY_KEY_FILE"])
    first = read_key_file(path).active
    processes = [(one.name, one.pid) for one in state.processes]
    await _many_data_keys(state, path)
    async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
        before = await _register(parent, 0)
        async with _registering(parent) as registered:
            # when a rotation is killed after its first batch
            await asyncio.to_thread(_killed_midway, folder, state)
            second = read_key_file(path).active
            counts = _counts(state)
            assert counts[first] > 0
            assert counts[second] >= BATCH
            # and registrations go on, and it is gone on with
            await _more(registered, 5)
            resumed = await teddy(folder, "keys", "rotate", "--resume")
            assert resumed.code == 0, resumed.err
            assert resumed.out.startswith(f"{second} is the active key\n")
            await _more(registered, 5)
        # and the old key is retired, a while later
        _a_while_later(path, first)
        retired = await teddy(folder, "keys", "retire", first)
        assert retired.code == 0, retired.err
        assert list(read_key_file(path).keks) == [second]
        # then what was written is read, by processes that never stopped
        after = await _register(parent, -1)
        for child_id, name in {**before, **registered, **after}.items():
            assert (await parent.get_child_profile(child_id))["name"] == name
    assert set(_counts(state)) == {second}
    now = folder.load()
    assert now is not None
    assert [(one.name, one.pid) for one in now.processes] == processes
    # then by one that has never seen the old key
    verified = await teddy(folder, "verify", "--wait", "20")
    assert verified.code == 0, verified


@asynccontextmanager
async def _registering(parent: TeddyClient) -> AsyncIterator[dict[str, str]]:
    """Registrations one after the other, until the block ends: name by id of those accepted."""
    registered: dict[str, str] = {}
    ended = asyncio.Event()

    async def register() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            registered.update(await _register(parent, number))

    async with asyncio.TaskGroup() as group:
        group.create_task(register())
        try:
            yield registered
        finally:
            ended.set()
    assert registered


async def _more(registered: dict[str, str], number: int) -> None:
    wanted = len(registered) + number
    await until(lambda: len(registered) >= wanted, 30)


async def _register(parent: TeddyClient, number: int) -> dict[str, str]:
    name = f"Kind {number}"
    answer = await parent.register_child(name, 7, f"udid-{new_id()}", consents=CONSENTS)
    return {answer["child_id"]: name}


async def _many_data_keys(state: StackState, path: Path) -> None:
    """More than a rotation wraps at once, of children that nobody asks for."""
    provider = FileKeyProvider(read_key_file(path))
    names = [f"{LAST}-{number:05}" for number in range(MORE_THAN_TWO_BATCHES)]
    keys = [await provider.wrap(name, bytes(32)) for name in names]
    with _client(state) as mongo:
        _collection(mongo).insert_many(
            {"_id": key.child_id, "kek_id": key.kek_id, "wrapped": key.wrapped} for key in keys
        )


def _killed_midway(folder: StackFolder, state: StackState) -> None:
    """A rotation whose second batch meets a document in another's hands: there it is killed. The
    server may still finish that batch; the third is left."""
    in_the_second = f"{LAST}-{BATCH:05}"
    with _client(state) as mongo, mongo.start_session() as session, session.start_transaction():
        _collection(mongo).update_one(
            {"_id": in_the_second}, {"$set": {"held": True}}, session=session
        )
        command = [sys.executable, "-m", "deploy.cli", "--dir", str(folder.path), "keys", "rotate"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as rotation:
            assert rotation.stdout is not None
            line = rotation.stdout.readline().decode()
            active = line.removesuffix(" is the active key\n")
            asyncio.run(until(lambda: _counts(state).get(active, 0) >= BATCH))
            rotation.kill()
        session.abort_transaction()
    assert re.fullmatch(r"kek-2-[0-9a-f]{8}", active)


def _a_while_later(path: Path, replaced: str) -> None:
    content = orjson.loads(path.read_bytes())
    content["replaced_at"][replaced] = "2026-01-01T00:00:00.000000Z"
    new = path.with_name("keys.later")
    new.touch(mode=0o600)
    new.write_bytes(orjson.dumps(content))
    new.replace(path)


def _counts(state: StackState) -> dict[str, int]:
    with _client(state) as mongo:
        groups = _collection(mongo).aggregate([{"$sortByCount": "$kek_id"}])
        return {group["_id"]: group["count"] for group in groups}


def _client(state: StackState) -> "pymongo.MongoClient[dict[str, Any]]":
    return pymongo.MongoClient(state.environment["TEDDY_KEYS_MONGO_URL"])


def _collection(
    mongo: "pymongo.MongoClient[dict[str, Any]]",
) -> "pymongo.collection.Collection[dict[str, Any]]":
    database = KeyringSettings.model_fields["keys_database"].default
    return mongo[database]["child_keys"]
