import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.keyring.cipher import SealBroken, UnknownKek, WrappedKey
from shared.keyring.key_file import (
    FileKeyProvider,
    KeyFile,
    KeyFileRefused,
    create_key_file,
    read_key_file,
)

DATA_KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    created = tmp_path / "keys" / "teddy.json"
    create_key_file(created)
    return created


def _write(path: Path, content: Any) -> None:
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))


def test_a_new_key_file_is_for_its_owner_only(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_key_file_is_left_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    create_key_file(path)
    assert path.read_bytes() == before


def test_a_created_key_file_can_be_read(path: Path) -> None:
    keys = read_key_file(path)
    assert keys.active in keys.keks
    assert len({*keys.keks.values(), keys.index_key, keys.signature_key}) == 3


def test_no_two_files_have_a_key_id_in_common(path: Path) -> None:
    other = path.with_name("other.json")
    create_key_file(other)
    assert read_key_file(path).keks.keys().isdisjoint(read_key_file(other).keks)


def test_keys_are_not_printed(path: Path) -> None:
    keys = read_key_file(path)
    assert repr(keys.index_key) not in repr(keys)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(KeyFileRefused, match=f"mode is 0{mode:o}; set it to 0600"):
        read_key_file(path)


def test_a_missing_key_file_says_how_to_create_it(tmp_path: Path) -> None:
    with pytest.raises(KeyFileRefused, match="create it with `teddy keys init`"):
        read_key_file(tmp_path / "none.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"keks": {"kek-1": "c2hvcnQ="}},
        {"keks": {"kek-1": "no base64!"}},
        {"keks": []},
        {"keks": None},
        {"index_key": 7},
        {"signature_key": None},
    ],
    ids=str,
)
def test_a_malformed_key_file_is_refused(path: Path, changes: dict[str, Any]) -> None:
    _write(path, orjson.loads(path.read_bytes()) | changes)
    with pytest.raises(KeyFileRefused, match="not a key file"):
        read_key_file(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null", b"\xff"])
def test_what_is_no_key_file_is_refused(path: Path, content: bytes) -> None:
    _write(path, content)
    with pytest.raises(KeyFileRefused, match="not a key file"):
        read_key_file(path)


def test_an_active_key_that_is_not_there_is_refused(path: Path) -> None:
    _write(path, orjson.loads(path.read_bytes()) | {"active": "kek-9"})
    with pytest.raises(KeyFileRefused, match="active key 'kek-9'"):
        read_key_file(path)


async def test_a_wrapped_key_unwraps_also_after_the_active_key_changed() -> None:
    keks = {"kek-1": bytes(32), "kek-2": b"k" * 32}
    before = FileKeyProvider(KeyFile("kek-1", {"kek-1": keks["kek-1"]}, b"", b""))
    wrapped = await before.wrap("child-1", DATA_KEY)
    provider = FileKeyProvider(KeyFile("kek-2", keks, b"", b""))
    assert await provider.unwrap(wrapped) == DATA_KEY
    assert (await provider.wrap("child-1", DATA_KEY)).kek_id == "kek-2"


async def test_a_wrapped_key_of_another_child_does_not_open(path: Path) -> None:
    provider = FileKeyProvider(read_key_file(path))
    wrapped = await provider.wrap("child-1", DATA_KEY)
    with pytest.raises(SealBroken):
        await provider.unwrap(WrappedKey("child-2", wrapped.kek_id, wrapped.wrapped))


async def test_a_key_wrapped_under_an_unknown_key_says_so(path: Path) -> None:
    provider = FileKeyProvider(read_key_file(path))
    with pytest.raises(UnknownKek, match="kek-9"):
        await provider.unwrap(WrappedKey("child-1", "kek-9", b""))
