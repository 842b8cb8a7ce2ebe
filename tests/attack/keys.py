"""Keys and what they seal, in the hands of somebody who may write the databases or read files."""

import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson

from shared.clock import new_id
from shared.read_models.generations import live_generation
from shared.read_models.models import Model
from tests.attack.row import Broken, Deed, Row
from tests.attack.wire import request, send
from tests.attack.world import Document, World
from tests.support.commands import started
from tests.support.consents import CONSENTS
from tests.support.waiting import STARTED, eventually

READABLE = 0o644
OTHERS = 0o077
PRELUDE = "the read models hold"


def _service_with(name: str, variable: str) -> Any:
    async def does(world: World) -> str:
        """A copy that others may read: the process must not start."""
        copy = world.folder.path / f"{new_id()}.key"
        shutil.copy(world.state.environment[variable], copy)
        copy.chmod(READABLE)
        try:
            said = await started(name, [], {**world.state.environment, variable: str(copy)})
        finally:
            copy.unlink()
        told = (said.err + said.out).strip().splitlines()[-1:]
        if said.code == 0 or "0644" not in "".join(told):
            raise Broken(f"exit code {said.code}: {told}")
        return f"exit code {said.code}, names the mode"

    return does


async def _files_of_the_stack(world: World) -> str:
    """Those that hold keys, logs and databases."""
    places = (world.folder.keys, world.folder.logs, world.folder.data)
    readable = [place for place in places if stat.S_IMODE(place.stat().st_mode) & OTHERS]
    files = [file for file in world.folder.keys.iterdir() if "jwks" not in file.name]
    private = [file for file in files if file.suffix == ".pem" or file.name == "keys.json"]
    readable += [file for file in private if stat.S_IMODE(file.stat().st_mode) & OTHERS]
    if readable or len(private) < 3:
        raise Broken(f"readable: {[one.name for one in readable]}, private: {len(private)}")
    return "folders 0700, keys 0600"


@asynccontextmanager
async def _written(world: World, child: str) -> AsyncIterator[tuple[Any, Document]]:
    """The live collection of profiles and the child's document there, put back behind."""
    async with _profiles(world) as documents:
        before = await documents.find_one({"_id": child})
        assert before is not None, f"{PRELUDE} no {child}"
        try:
            yield documents, before
        finally:
            await documents.replace_one({"_id": before["_id"]}, before)
            await _forget_answers(world)


@asynccontextmanager
async def _profiles(world: World) -> AsyncIterator[Any]:
    """Of the generation that answers: rebuilds make new ones."""
    async with world.collection("read", "read_model_pointer") as pointer:
        live = await live_generation(pointer.database)
    async with world.collection("read", live.collection_name(Model.CHILDREN)) as documents:
        yield documents


async def _forget_answers(world: World) -> None:
    """What the cache holds was read before."""
    (await world.callers["admin"].queries.delete("/v1/cache")).raise_for_status()


async def _answers(world: World, child: str) -> str:
    """What the routes that open values of the read models say to its family and to an admin. An
    export brings the events, too, which hold every value in its own place."""
    await _forget_answers(world)
    family, told = world.words["family"], []
    for who in ("family", "admin"):
        for path in (
            f"/v1/children/{child}",
            f"/v1/children?parent_id={family}",
            f"/v1/parents/{family}/children",
        ):
            told.append(await _told(world, who, path))
    return "\n".join(told)


async def _told(world: World, who: str, path: str) -> str:
    """On a connection of its own: what does not open is answered 500, and that one is closed."""
    line = f"Authorization: Bearer {world.bearer(who)}"
    answer = await send(world.address("query"), request("GET", path, [line]))
    return f"{answer.status} {answer.body.decode()}"


def _moved(source: str, target: str) -> Any:
    async def does(world: World) -> str:
        """A sealed value of the child, in another of its fields."""
        child, secret = world.words["child"], world.words[source]
        async with _written(world, child) as (documents, before):
            change = {target: before[source], source: None}
            await documents.update_one({"_id": before["_id"]}, {"$set": change})
            told = await _answers(world, child)
        if secret in told:
            raise Broken(f"the {source} is shown as the {target}")
        return "shown nowhere"

    return does


async def _moved_to_another_child(world: World) -> str:
    child, other = world.words["child"], world.words["other"]
    async with (
        _written(world, other) as (documents, before),
        _written(world, child) as (_, own),
    ):
        await documents.update_one({"_id": before["_id"]}, {"$set": {"name": own["name"]}})
        await _forget_answers(world)
        answers = [
            await _told(world, "stranger", path)
            for path in (f"/v1/children/{other}", f"/v1/parents/{world.words['stranger']}/children")
        ]
    if any(world.words["name"] in answer for answer in answers):
        raise Broken("the stranger is shown the family's child's name")
    return f"{', '.join(answer[:3] for answer in answers)}, not the name"


async def _unseen_child(world: World, name: str) -> str:
    """A child whose data key no query has asked for yet."""
    body = {"name": name, "age": 7, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
    answer = await world.callers["family"].commands.post("/v1/children", json=body)
    answer.raise_for_status()
    child: str = answer.json()["child_id"]
    async with _profiles(world) as documents:

        async def is_there() -> bool:
            return await documents.find_one({"_id": child}) is not None

        await eventually(is_there, STARTED)
    return child


def _data_key(change: Any) -> Any:
    async def does(world: World) -> str:
        """The child's wrapped key was altered: nothing opens, and nobody else is harmed."""
        name = f"Sealed{new_id()[:8]}"
        child = await _unseen_child(world, name)
        async with world.collection("keys", "child_keys") as keys:
            before = await keys.find_one({"_id": child})
            other = await keys.find_one({"_id": world.words["other"]})
            await keys.update_one({"_id": child}, {"$set": change(before, other)})
            try:
                told = await _answers(world, child)
                theirs = await _told(world, "family", f"/v1/children/{world.words['child']}")
            finally:
                await keys.replace_one({"_id": child}, before)
        if name not in await _answers(world, child):
            raise Broken("it does not open with its own key either: nothing was shown")
        if name in told or world.words["name"] not in theirs:
            raise Broken("it opened, or others do not open any more")
        return "does not open, others do"

    return does


async def _retired_under_another_label(world: World) -> str:
    """A data key under the old key-encryption key is said to be under the new one."""
    child = await _unseen_child(world, f"Sealed{new_id()[:8]}")
    file = Path(world.state.environment["TEDDY_KEY_FILE"])
    async with world.collection("keys", "child_keys") as keys:
        old = await keys.find_one({"_id": child})
        rotated = await world.teddy("keys", "rotate")
        new = await keys.find_one({"_id": child})
        content = orjson.loads(file.read_bytes())
        long_ago = {old["kek_id"]: "2026-01-01T00:00:00.000000Z"}
        file.write_bytes(orjson.dumps(content | {"replaced_at": long_ago}))
        await keys.replace_one({"_id": child}, old | {"kek_id": new["kek_id"]})
        said = await world.teddy("keys", "retire", old["kek_id"])
        await keys.replace_one({"_id": child}, new)
    kept = old["kek_id"] in orjson.loads(file.read_bytes())["keks"]
    if (
        rotated.code
        or not said.code
        or not kept
        or "stays: 1 data keys open under it" not in said.err
    ):
        raise Broken(f"rotate {rotated.code}, retire {said.code}: {said.err.strip()[-200:]}")
    return f"exit code {said.code}, the key stays"


async def _a_consistency_token_of_nobody_s(world: World) -> str:
    """One bit of a signed token is another."""
    token = world.words["token"]
    forged = token[:4] + ("A" if token[4] != "A" else "B") + token[5:]
    headers = {"Consistency-Token": forged}
    path = f"/v1/children/{world.words['child']}"
    answer = await world.callers["family"].queries.get(path, headers=headers)
    if answer.status_code != httpx2.codes.UNPROCESSABLE_ENTITY:
        raise Broken(str(answer.status_code))
    return "422"


ROWS: tuple[Row, ...] = (
    *(
        Deed(
            f"{variable} that others may read",
            f"python -m {service}, mode 0644",
            "does not start, names the mode",
            _service_with(service, variable),
        )
        for service, variable in (
            ("query_service", "TEDDY_KEY_FILE"),
            ("command_service", "TEDDY_KEY_FILE"),
            ("query_service", "TEDDY_PROOF_KEY_FILE"),
        )
    ),
    Deed(
        "files of the stack", "modes of keys, logs, data", "0700, 0600", _files_of_the_stack, True
    ),
    *(
        Deed(
            f"the {source} as the {target}",
            "a ciphertext moved in the read models",
            "shown nowhere",
            _moved(source, target),
            ci=source == "udid",
        )
        for source, target in (("udid", "name"), ("name", "learning_style"), ("udid", "device_id"))
    ),
    Deed(
        "the name as another child's",
        "a ciphertext moved to the stranger's child",
        "not shown",
        _moved_to_another_child,
        ci=True,
    ),
    *(
        Deed(name, tried, "does not open, others do", _data_key(change), ci=ci)
        for name, tried, change, ci in (
            (
                "a data key with a bit changed",
                "`wrapped` of the child's key",
                lambda own, _: {"wrapped": bytes(own["wrapped"][:-1]) + b"\x00"},
                True,
            ),
            (
                "another child's data key",
                "`wrapped` of the stranger's child",
                lambda _, other: {"wrapped": other["wrapped"]},
                False,
            ),
            (
                "a key id that is nobody's",
                "`kek_id`",
                lambda _, __: {"kek_id": "kek-0-nobody"},
                False,
            ),
        )
    ),
    Deed(
        "a key retired under another label",
        "`kek_id` changed, `teddy keys retire`",
        "refused, the key stays",
        _retired_under_another_label,
    ),
    Deed(
        "a consistency token with a bit changed",
        "GET /v1/children/child",
        "422",
        _a_consistency_token_of_nobody_s,
        ci=True,
    ),
)
