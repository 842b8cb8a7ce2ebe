"""Keys and what they seal, in the hands of somebody who may write the databases or read files."""

import shutil
import stat
from pathlib import Path

import httpx2
import orjson

from shared.clock import new_id
from tests.attack.row import Broken, Deed, Row
from tests.attack.sealed import Attack, data_key, moved, moved_to_another_child, unseen_child
from tests.attack.world import World
from tests.support.commands import started

READABLE = 0o644
OTHERS = 0o077


def _service_with(name: str, variable: str) -> Attack:
    async def does(world: World) -> str:
        """A copy that others may read: the process must not start."""
        copy = world.folder.path / f"{new_id()}.key"
        shutil.copy(world.state.environment[variable], copy)
        copy.chmod(READABLE)
        try:
            said = await started(name, [], {**world.state.environment, variable: str(copy)})
        finally:
            copy.unlink()
        reported = (said.err + said.out).strip().splitlines()[-1:]
        if said.code == 0 or "0644" not in "".join(reported):
            raise Broken(f"exit code {said.code}: {reported}")
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


async def _retired_under_another_label(world: World) -> str:
    """A data key under the old key-encryption key is said to be under the new one."""
    child = await unseen_child(world, f"Sealed{new_id()[:8]}")
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
        or "stays: 1 data keys are wrapped under it" not in said.err
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
            f"{variable} of the {service} that others may read",
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
            moved(source, target),
            ci=source == "udid",
        )
        for source, target in (("udid", "name"), ("name", "learning_style"), ("udid", "device_id"))
    ),
    Deed(
        "the name as another child's",
        "a ciphertext moved to the stranger's child",
        "not shown",
        moved_to_another_child,
        ci=True,
    ),
    *(
        Deed(name, tried, "does not open, others do", data_key(change), ci=ci)
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
