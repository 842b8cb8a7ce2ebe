"""`teddy keys ...` on MongoDB: what is refused is one line, and nothing is touched."""

import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from deploy import cli
from shared.keyring.key_file import WatchedKeyFile, create_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring
from shared.mongo import Mongo
from tests.support.commands import Said, called, started
from tests.support.ports import free_port

CHILDREN = [f"child-{number}" for number in range(3)]


@dataclass(frozen=True)
class Operator:
    """Whoever rotates keys: a key file, and the database of data keys wrapped under it."""

    path: Path
    url: str
    database: str
    store: MongoKeyStore

    async def keys(self, *arguments: str, url: str | None = None) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        said = await called(cli.main, *self._call(arguments, url))
        return said.code, said.out, said.err

    async def keys_process(self, *arguments: str) -> Said:
        return await started("deploy.cli", *self._call(arguments, None))

    def _call(self, arguments: Sequence[str], url: str | None) -> tuple[list[str], dict[str, str]]:
        """Arguments and environment of `teddy`."""
        environment = {
            **os.environ,
            "TEDDY_KEY_FILE": str(self.path),
            "TEDDY_KEYS_MONGO_URL": url or self.url,
            "TEDDY_KEYS_DATABASE": self.database,
        }
        return ["--dir", str(self.path.parent / "no-stack"), "keys", *arguments], environment

    @property
    def active(self) -> str:
        return str(orjson.loads(self.path.read_bytes())["active"])

    def change(self, **changes: object) -> None:
        content = orjson.loads(self.path.read_bytes())
        self.path.write_bytes(orjson.dumps(content | changes))

    def add_active(self, kek_id: str) -> None:
        """A key under which nothing is wrapped yet."""
        content = orjson.loads(self.path.read_bytes())
        self.change(active=kek_id, keks=content["keks"] | {kek_id: content["index_key"]})


@pytest_asyncio.fixture
async def operator(tmp_path: Path, mongo_url: str, fresh_database: str) -> AsyncIterator[Operator]:
    path = tmp_path / "keys.json"
    create_key_file(path)
    mongo = Mongo(mongo_url)
    store = MongoKeyStore(mongo.database(fresh_database), timeout_seconds=30)
    keyring = Keyring(WatchedKeyFile(path), store)
    for child in CHILDREN:
        await keyring.create(child)
    yield Operator(path, mongo_url, fresh_database, store)
    await store.close()
    await mongo.close()


async def test_a_key_is_replaced_and_retired_once_nothing_is_under_it(operator: Operator) -> None:
    # given
    first = operator.active
    rotated = await operator.keys("rotate")
    second = operator.active
    assert rotated[:2] == (0, f"{second} is the active key\n3 data keys rewrapped under {second}\n")
    code, shown, _ = await operator.keys("status")
    words = [line.replace("│", " ").split() for line in shown.splitlines() if "kek-" in line]
    assert (code, words) == (0, [[first, "replaced", "0"], [second, "active", "3"]])
    # when
    too_early = await operator.keys("retire", first)
    operator.change(replaced_at={first: "2026-01-01T00:00:00.000000Z"})
    retired = await operator.keys("retire", first)
    # then
    assert (too_early[0], too_early[1]) == (2, "")
    assert "it was replaced less than 60 s ago" in too_early[2]
    assert retired == (0, f"{first} is removed from {operator.path}\n", "")
    assert list(orjson.loads(operator.path.read_bytes())["keks"]) == [second]
    ciphers = await Keyring(WatchedKeyFile(operator.path), operator.store).ciphers(CHILDREN)
    assert list(ciphers) == CHILDREN


async def test_an_unfinished_rotation_keeps_the_replaced_key_until_it_is_resumed(
    operator: Operator,
) -> None:
    # given a new active key under which nothing is wrapped yet
    first = operator.active
    operator.add_active("kek-2")
    # when
    kept = await operator.keys("retire", first)
    resumed = await operator.keys("rotate", "--resume")
    # then
    assert (kept[0], kept[2].count("\n")) == (2, 1)
    assert "3 data keys are wrapped under it; run `teddy keys rotate --resume`" in kept[2]
    assert (resumed[0], resumed[1].splitlines()[-1]) == (0, "3 data keys rewrapped under kek-2")
    assert await operator.store.count_by_kek() == {"kek-2": 3}


async def test_a_key_is_not_retired_because_somebody_changed_what_stands_beside_data_keys(
    operator: Operator,
) -> None:
    # given a data key whose `kek_id` was changed in the database to the new active key
    first = operator.active
    operator.add_active("kek-2")
    relabelled = [replace(key, kek_id="kek-2") for key in await operator.store.find(CHILDREN)]
    await operator.store.replace(
        list(zip(await operator.store.find(CHILDREN), relabelled, strict=True))
    )
    assert await operator.store.count_by_kek() == {"kek-2": 3}
    # when
    code, out, err = await operator.keys("retire", first)
    # then
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert (
        f"{first} stays: 3 data keys are wrapped under it although the database names another"
        in err
    )
    assert first in orjson.loads(operator.path.read_bytes())["keks"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["retire", "ACTIVE"], "ACTIVE stays: it is the active key; rotate first"),
        (["retire", "kek-9"], "kek-9 stays: the key file has no such key"),
        (["retire"], "Missing argument 'KEK'"),
        (["rotate", "kek-2"], "unexpected extra argument"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    operator: Operator, arguments: list[str], said: str
) -> None:
    before = operator.path.read_bytes()
    active = operator.active
    code, out, err = await operator.keys(*(one.replace("ACTIVE", active) for one in arguments))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said.replace("ACTIVE", active) in err
    assert operator.path.read_bytes() == before


async def test_a_rotation_beside_another_one_is_refused(operator: Operator) -> None:
    # given what a rotation leaves behind that was killed while it wrote
    before = operator.path.read_bytes()
    half_written = operator.path.with_name("keys.json.new")
    half_written.write_bytes(b'{"active": "kek')
    # when
    code, out, err = await operator.keys("rotate")
    # then
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{half_written} exists: another rotation is running, or was killed" in err
    assert (operator.path.read_bytes(), half_written.exists()) == (before, True)
    # when it is removed, as the line says
    half_written.unlink()
    # then
    assert (await operator.keys("rotate"))[0] == 0


async def test_as_a_process_it_says_the_same(operator: Operator) -> None:
    here = await operator.keys("status")
    said = await operator.keys_process("status")
    assert (said.code, said.out, said.err) == here
    assert operator.active in said.out


@pytest.mark.parametrize("command", ["status", "rotate"])
async def test_a_file_that_others_may_read_is_refused(operator: Operator, command: str) -> None:
    before = operator.path.read_bytes()
    operator.path.chmod(0o640)
    code, out, err = await operator.keys(command)
    assert (code, out) == (1, "")
    assert err == (
        f"teddy: {operator.path}: mode is 0640; set it to 0600: others can read the keys\n"
    )
    assert operator.path.read_bytes() == before


async def test_a_data_key_under_a_key_of_no_file_is_told_and_left(operator: Operator) -> None:
    # given
    first = operator.active
    content = orjson.loads(operator.path.read_bytes())
    operator.change(active="kek-5", keks={"kek-5": content["index_key"]})
    # when
    code, out, err = await operator.keys("rotate", "--resume")
    # then
    assert code == 1
    assert out.splitlines() == [
        "kek-5 is the active key",
        "0 data keys rewrapped under kek-5",
        *(
            f"child {one}: unchanged: no key-encryption key {first!r} in the key file"
            for one in CHILDREN
        ),
    ]
    assert err == "teddy: 3 data keys cannot be decrypted\n"
    assert await operator.store.count_by_kek() == {first: 3}
    assert "not in the key file" in (await operator.keys("status"))[1]


async def test_a_database_that_is_away_is_one_line(operator: Operator) -> None:
    url = f"mongodb://127.0.0.1:{free_port()}/?directConnection=true"
    code, out, err = await operator.keys("status", url=url)
    assert (code, out, err.count("\n")) == (1, "", 1)
