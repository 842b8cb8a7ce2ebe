"""Erased for good, on a whole running system: in a backlog, in a rebuild, after a restore."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pymongo
import pytest

from deploy.local import plans
from deploy.local.state import ProcessState, StackFolder, StackState
from shared.auth.access import Role
from shared.client import TeddyClient
from shared.client.transport import TeddyProblem, Unreachable
from shared.clock import new_id
from tests.support.callers import client
from tests.support.commands import teddy
from tests.support.consents import CONSENTS
from tests.support.own_servers import own_stack
from tests.support.waiting import eventually

SOON = 90.0
RESTORED = ("write", "read", "keys")

Dump = dict[tuple[str, str], list[Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    """A stack of these tests' own: its databases are set back."""
    with own_stack(tmp_path_factory.mktemp("erased")) as folder:
        yield folder


async def test_of_a_child_erased_in_a_backlog_nothing_is_left(
    folder: StackFolder, state: StackState, tmp_path: Path
) -> None:
    async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
        # given a worker that does not get on
        with frozen(state, "worker"):
            child = await a_child(parent)
            # when
            await parent.erase_child(child)
        # then
        await assert_gone(folder, parent, child, tmp_path)


async def test_of_a_child_erased_during_a_rebuild_nothing_is_left_in_any_generation(
    folder: StackFolder, state: StackState, tmp_path: Path
) -> None:
    async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
        child, *_ = [await a_child(parent) for _ in range(5)]
        # when
        rebuilding = asyncio.create_task(teddy(folder, "replay", "rebuild", "--workers", "1"))
        await parent.erase_child(child)
        rebuilt = await rebuilding
        # then
        assert rebuilt.code == 0, rebuilt.err
        await assert_gone(folder, parent, child, tmp_path)


async def test_a_restore_of_all_databases_brings_nobody_back(
    folder: StackFolder, state: StackState, tmp_path: Path
) -> None:
    async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
        # given copies from before the erasure
        child = await a_child(parent)
        await parent.get_child_profile(child)
        copies = dump(state)
        await parent.erase_child(child)
        receipt = await assert_gone(folder, parent, child, tmp_path)
        # when they are put back
        with frozen(state, *plans.SERVICES):
            restore(state, copies)
            left = await teddy(folder, "erase", "verify", str(receipt))
            for name in plans.SERVICES:
                os.kill(process(state, name).pid, signal.SIGKILL)
        # then, although everything was back
        assert left.code == 1
        assert "keys: the child has a key" in left.out
        assert "events: the history does not end with the erasure" in left.out
        shown: list[Any] = []

        async def is_erased_again() -> bool:
            shown.extend(await profiles_shown(parent, child))
            return (await teddy(folder, "erase", "verify", str(receipt))).code == 0

        await eventually(is_erased_again, SOON)
        assert shown == []
        status = await teddy(folder, "erase", "status")
        assert ", 0 not complete" in status.out, status.out


async def test_what_is_no_receipt_is_refused_in_one_line(
    folder: StackFolder, state: StackState, tmp_path: Path
) -> None:
    forged = tmp_path / "forged.jws"
    forged.write_text("a.b.c")
    refused = await teddy(folder, "erase", "verify", str(forged))
    assert refused.code == 2
    assert refused.err.strip().splitlines()[-1].endswith("not a signed statement")


async def test_a_receipt_of_nobody_and_of_somebody_who_is_there_are_distinguished(
    folder: StackFolder, state: StackState
) -> None:
    # given
    nobody = new_id()
    async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
        somebody = await a_child(parent)
    # when
    of_nobody = await teddy(folder, "erase", "receipt", nobody)
    of_somebody = await teddy(folder, "erase", "receipt", somebody)
    # then
    assert (of_nobody.code, of_somebody.code) == (2, 2)
    assert of_nobody.err == f"teddy: no child {nobody} is in the event store\n"
    assert of_somebody.err == f"teddy: child {somebody} is not erased\n"


async def a_child(parent: TeddyClient) -> str:
    child = (await parent.register_child("Mia", 6, new_id(), consents=CONSENTS))["child_id"]
    await parent.update_child_profile(child, age=7)
    return child


async def assert_gone(folder: StackFolder, parent: TeddyClient, child: str, tmp_path: Path) -> Path:
    """The receipt, in a file, once it is complete and proved."""
    proof = await eventually(
        lambda: parent.get_erasure_receipt(child),
        SOON,
        lambda proof: proof["complete"],
        passing=(TeddyProblem,),
    )
    receipt = tmp_path / "receipt.jws"
    receipt.write_text(proof["receipt"])
    proved = await teddy(folder, "erase", "verify", str(receipt))
    assert (proved.code, proved.err) == (0, ""), proved.out
    assert await profiles_shown(parent, child) == []
    return receipt


async def profiles_shown(parent: TeddyClient, child: str) -> list[Any]:
    """What the parent is shown of the child; processes may be starting."""
    try:
        return [await parent.get_child_profile(child)]
    except (TeddyProblem, Unreachable):
        return []


def process(state: StackState, name: str) -> ProcessState:
    return next(one for one in state.processes if one.name == name)


@contextmanager
def frozen(state: StackState, *names: str) -> Iterator[None]:
    pids = [process(state, name).pid for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # killed meanwhile
                os.kill(pid, signal.SIGCONT)


def databases() -> list[str]:
    return [f"teddy_{name}" for name in RESTORED]


def dump(state: StackState) -> Dump:
    with pymongo.MongoClient[Any](state.environment["TEDDY_WRITE_MONGO_URL"]) as mongo:
        return {
            (database, name): list(mongo[database][name].find())
            for database in databases()
            for name in mongo[database].list_collection_names()
        }


def restore(state: StackState, copies: Dump) -> None:
    with pymongo.MongoClient[Any](state.environment["TEDDY_WRITE_MONGO_URL"]) as mongo:
        for database in databases():
            for name in mongo[database].list_collection_names():
                mongo[database][name].delete_many({})
        for (database, name), documents in copies.items():
            if documents:
                mongo[database][name].insert_many(documents)
