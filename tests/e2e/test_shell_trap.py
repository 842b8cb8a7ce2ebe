"""A stack in whose databases two children were written under other key files, as a stack did that
found its settings in the shell. Each command does for all others what it is for."""

import asyncio
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
import pytest

from deploy import cli
from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.clock import new_id
from shared.settings import KeyringSettings, WriteStoreSettings
from tests.support.callers import client
from tests.support.commands import Said, called, started
from tests.support.consents import CONSENTS
from tests.support.own_servers import own_stack, state_of
from tests.support.teddy_commands import arguments, commands

FAILING = {
    *(("dead-letter", name) for name in ("discard", "redrive", "show")),
    *(("erase", name) for name in ("receipt", "verify")),
    *(("evidence", name) for name in ("export", "verify")),
    *(("keys", name) for name in ("retire", "rotate")),
    *(("audit", "verify-export"), ("replay", "verify"), ("seed",), ("verify",)),
}
"""Commands that need what does not open, or are called with what is not there; the others end with
0: nothing that they do needs it."""


@dataclass(frozen=True)
class Trapped:
    """`foreign`: under a key of another file, with the same id and with an unknown one. `own`: as
    it should be."""

    folder: StackFolder
    foreign: tuple[str, str]
    own: str


@pytest.fixture(scope="module")
def trapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trapped]:
    with own_stack(tmp_path_factory.mktemp("trapped")) as folder:
        same, unknown, own = asyncio.run(_registered(state_of(folder)))
        _rewrap(state_of(folder), same, {"wrapped": bytes(60)})
        _rewrap(state_of(folder), unknown, {"kek_id": "kek-of-another-file"})
        yield Trapped(folder, (same, unknown), own)


async def teddy(trapped: Trapped, words: list[str]) -> Said:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TEDDY_")}
    return await called(cli.main, ["--dir", str(trapped.folder.path), *words], plain)


async def test_an_officers_list_has_every_child(trapped: Trapped) -> None:
    async with client(state_of(trapped.folder), Role.SAFETY_OFFICER, "officer-1") as officer:
        found = await officer.search_children()

    names = {one["child_id"]: one["name"] for one in found["items"]}
    assert names == dict.fromkeys(trapped.foreign) | {trapped.own: "Mia"}
    assert set(found["unreadable"]) == set(trapped.foreign)


async def test_the_audit_trail_tells_of_no_tampering(trapped: Trapped) -> None:
    said = await teddy(trapped, ["audit", "verify"])

    assert said.code == 0, said
    assert "no tampering found" in said.out


async def test_a_verify_names_both_and_no_other(trapped: Trapped) -> None:
    said = await teddy(trapped, ["verify", "--wait", "20"])

    assert said.code == 1
    named = {line.split()[1] for line in said.out.splitlines() if line.startswith("child ")}
    assert named == set(trapped.foreign)
    assert "differences: 0, shown: 0, children that cannot be decrypted: 2" in said.out


async def test_a_demo_in_a_shell_with_all_of_the_stack_does_not_touch_it(trapped: Trapped) -> None:
    # given
    exported = await teddy(trapped, ["env", "--all"])
    words = (shlex.split(line) for line in exported.out.splitlines())
    variables = dict(one.split("=", 1) for _, one in words)
    before = _commits(state_of(trapped.folder))

    # when
    said = await started(
        "deploy.cli", ["--dir", str(trapped.folder.path), "demo"], {**os.environ, **variables}
    )

    # then
    assert said.code == 0, said
    assert f"that belong to the local stack in {trapped.folder.path}" in said.err
    assert _commits(state_of(trapped.folder)) == before


@pytest.mark.parametrize("command", [one for one in commands() if one != ("demo",)], ids=" ".join)
async def test_no_command_ends_in_a_traceback(
    trapped: Trapped, tmp_path: Path, command: tuple[str, ...]
) -> None:
    said = await teddy(trapped, arguments(command, tmp_path, child=trapped.foreign[0]))

    assert "Traceback" not in said.out + said.err
    if command not in FAILING:
        assert said.code == 0, said
    else:
        assert said.code in (1, 2), said
        assert len(said.err.splitlines()) <= 1, said
        assert said.err.startswith("teddy: ") if said.err else said.out, said


async def _registered(state: StackState) -> list[str]:
    """Three children of one parent, once they are in the read models."""
    async with client(state, Role.PARENT, f"parent-{new_id()}") as parent:
        answers = [
            await parent.register_child("Mia", 6, f"udid-{new_id()}", consents=CONSENTS)
            for _ in range(3)
        ]
        await parent.get_child_profile(answers[-1]["child_id"])
    return [answer["child_id"] for answer in answers]


def _commits(state: StackState) -> int:
    database = WriteStoreSettings.model_fields["write_database"].default
    with pymongo.MongoClient[dict[str, Any]](state.environment["TEDDY_WRITE_MONGO_URL"]) as mongo:
        return mongo[database]["commits"].count_documents({})


def _rewrap(state: StackState, child_id: str, change: dict[str, Any]) -> None:
    url = state.environment["TEDDY_KEYS_MONGO_URL"]
    database = KeyringSettings.model_fields["keys_database"].default
    with pymongo.MongoClient[dict[str, Any]](url) as mongo:
        changed = mongo[database]["child_keys"].update_one({"_id": child_id}, {"$set": change})
    assert changed.modified_count == 1
