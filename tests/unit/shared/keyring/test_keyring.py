"""Keys: kept in memory, in a file, forgotten, and what requests print with them."""

import asyncio
import hashlib
import hmac
import stat
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.clock import utc_now
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasedChild
from shared.keyring.key_file import (
    FileKeyProvider,
    KeyFile,
    KeyFileRefused,
    create_key_file,
    read_key_file,
)
from shared.keyring.key_store import WrappedKey
from shared.keyring.keyring import (
    ChildCipher,
    ClosedCipher,
    Keyring,
    SealBroken,
    UnknownKek,
    forget_the_erased,
)
from tests.fakes.keys import MemoryErasedList, MemoryKeyStore
from tests.support.waiting import eventually

KEYS = KeyFile("kek-1", {"kek-1": bytes(32)}, bytes(32), bytes(32))


class CountingKeyStore(MemoryKeyStore):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    async def find(self, child_ids: Collection[str]) -> list[WrappedKey]:
        self.asked.append(list(child_ids))
        return await super().find(child_ids)


def _a_keyring(store: MemoryKeyStore, max_entries: int = 100) -> Keyring:
    return Keyring(FileKeyProvider(KEYS), store, max_entries)


async def test_ciphers_of_many_children_cost_one_look_up_and_none_the_second_time():
    # given
    store = CountingKeyStore()
    for child_id in ("child-1", "child-2"):
        await _a_keyring(store).create(child_id)
    keyring = _a_keyring(store)
    # when
    ciphers = await keyring.ciphers(["child-1", "child-2", "child-3"])
    again = await keyring.ciphers(["child-1", "child-2"])
    # then
    assert set(ciphers) == {"child-1", "child-2"}
    assert again == ciphers
    assert store.asked == [["child-1", "child-2", "child-3"]]


async def test_the_least_recently_used_cipher_is_forgotten_first():
    # given
    store = CountingKeyStore()
    keyring = _a_keyring(store, max_entries=2)
    await keyring.create("child-1")
    await keyring.create("child-2")
    await keyring.cipher("child-1")
    # when
    await keyring.create("child-3")
    await keyring.ciphers(["child-1", "child-3"])
    # then
    assert store.asked == []
    await keyring.cipher("child-2")
    assert store.asked == [["child-2"]]


async def test_creating_a_key_twice_gives_the_same_cipher():
    keyring = _a_keyring(MemoryKeyStore())
    first, second = await keyring.create("child-1"), await keyring.create("child-1")
    assert second.open(first.seal(b"secret", "place"), "place") == b"secret"


async def test_a_key_destroyed_elsewhere_is_gone_once_it_is_forgotten():
    store = MemoryKeyStore()
    ours = _a_keyring(store)
    await ours.create("child-1")
    await store.destroy("child-1")
    ours.forget("child-1")
    assert await ours.cipher("child-1") is None


async def test_a_refused_child_has_no_cipher_though_its_key_came_back():
    # given
    store = MemoryKeyStore()
    ours, theirs = _a_keyring(store), _a_keyring(store)
    await ours.create("child-1")
    await theirs.ciphers(["child-1"])
    # when
    theirs.refuse(["child-1"])
    # then
    assert await theirs.cipher("child-1") is None
    assert await ours.cipher("child-1") is not None


async def test_a_key_that_does_not_open_keeps_no_other_child_from_its_own():
    # given keys of this file, of one with the same key id, and of one with another
    store = MemoryKeyStore()
    keyring = _a_keyring(store)
    sealed = (await keyring.create("child-1")).seal(b"Mia", "place")
    await store.insert(WrappedKey("child-2", "kek-1", bytes(60)))
    await store.insert(WrappedKey("child-3", "kek-9", bytes(60)))
    keyring.forget("child-1")
    # when
    ciphers = await keyring.ciphers(["child-1", "child-2", "child-3"])
    # then
    assert ciphers["child-1"].open(sealed, "place") == b"Mia"
    for child_id, reason in (
        ("child-2", "child child-2 cannot be decrypted"),
        ("child-3", "kek-9"),
    ):
        with pytest.raises(SealBroken, match=reason):
            ciphers[child_id].open(sealed, "place")
        with pytest.raises(SealBroken, match=reason):
            ciphers[child_id].seal(b"Mia", "place")


async def test_who_asks_for_one_child_gets_why_its_key_does_not_open():
    # given
    store = MemoryKeyStore()
    await store.insert(WrappedKey("child-2", "kek-1", bytes(60)))
    await store.insert(WrappedKey("child-3", "kek-9", bytes(60)))
    # when / then
    with pytest.raises(SealBroken):
        await _a_keyring(store).cipher("child-2")
    with pytest.raises(UnknownKek):
        await _a_keyring(store).cipher("child-3")


DATA_KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    created = tmp_path / "keys" / "teddy.json"
    create_key_file(created)
    return created


def test_a_new_key_file_is_for_its_owner_only_can_be_read_and_is_never_replaced(path: Path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = read_key_file(path)
    assert keys.active in keys.keks
    assert len({*keys.keks.values(), keys.index_key, keys.signature_key}) == 3
    before = path.read_bytes()
    create_key_file(path)
    assert path.read_bytes() == before


def test_no_two_key_files_have_an_id_in_common_and_keys_are_not_printed(path: Path):
    other = path.with_name("other.json")
    create_key_file(other)
    assert read_key_file(path).keks.keys().isdisjoint(read_key_file(other).keks)
    keys = read_key_file(path)
    assert repr(keys.index_key) not in repr(keys)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_may_read_is_refused(path: Path, mode: int):
    path.chmod(mode)
    with pytest.raises(KeyFileRefused, match=f"mode is 0{mode:o}; set it to 0600"):
        read_key_file(path)


def test_a_missing_key_file_and_an_active_key_that_is_not_there_are_refused(
    tmp_path: Path, path: Path
):
    with pytest.raises(KeyFileRefused, match="create it with `teddy keys init`"):
        read_key_file(tmp_path / "none.json")
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | {"active": "kek-9"}))
    with pytest.raises(KeyFileRefused, match="active key 'kek-9'"):
        read_key_file(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"keks": {"kek-1": "c2hvcnQ="}},
        {"keks": {"kek-1": "no base64!"}},
        {"keks": []},
        {"keks": None},
        {"index_key": 7},
        {"signature_key": None},
        *(b"", b"{", b"[]", b"{}", b"null", b"\xff"),
    ],
    ids=str,
)
def test_what_is_no_key_file_is_refused(path: Path, changes: dict[str, Any] | bytes):
    known = orjson.loads(path.read_bytes())
    path.write_bytes(changes if isinstance(changes, bytes) else orjson.dumps(known | changes))
    with pytest.raises(KeyFileRefused, match="not a key file"):
        read_key_file(path)


async def test_a_wrapped_key_unwraps_also_after_the_active_key_changed():
    keks = {"kek-1": bytes(32), "kek-2": b"k" * 32}
    before = FileKeyProvider(KeyFile("kek-1", {"kek-1": keks["kek-1"]}, b"", b""))
    wrapped = await before.wrap("child-1", DATA_KEY)
    provider = FileKeyProvider(KeyFile("kek-2", keks, b"", b""))
    assert await provider.unwrap(wrapped) == DATA_KEY
    assert (await provider.wrap("child-1", DATA_KEY)).kek_id == "kek-2"


async def test_a_wrapped_key_of_another_child_or_under_an_unknown_key_does_not_open(path: Path):
    provider = FileKeyProvider(read_key_file(path))
    wrapped = await provider.wrap("child-1", DATA_KEY)
    with pytest.raises(SealBroken):
        await provider.unwrap(WrappedKey("child-2", wrapped.kek_id, wrapped.wrapped))
    with pytest.raises(UnknownKek, match="kek-9"):
        await provider.unwrap(WrappedKey("child-1", "kek-9", b""))


class OftenAwayList(MemoryErasedList):
    """Does not answer the first time."""

    asked = 0

    async def since(self, moment: datetime) -> list[str]:
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable("no primary")
        return await super().since(moment)


async def test_a_process_forgets_whom_another_one_erased(monkeypatch: pytest.MonkeyPatch):
    # given a process that has the key in memory
    monkeypatch.setattr("shared.keyring.keyring.LOOK_SECONDS", 0.01)
    keyring, erased = Keyring(FileKeyProvider(KEYS), MemoryKeyStore()), OftenAwayList()
    await keyring.create("child-1")
    await keyring.create("child-2")
    looking = asyncio.create_task(forget_the_erased(keyring, erased, utc_now))
    # when
    child = ErasedChild(child_id="child-1", at=utc_now(), by_role="parent", version=2, hash="h2")
    await erased.add(child)

    async def is_forgotten() -> bool:
        return await keyring.cipher("child-1") is None

    # then
    await eventually(is_forgotten)
    assert await keyring.cipher("child-2") is not None
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


KEY, OTHER = b"k" * 32, b"x" * 32
CONTENT = b"PATCH\n/v1/children/child-1/profile\n{}"


def test_a_print_is_the_same_for_the_same_request_and_key_only_and_none_where_it_does_not_open():
    cipher = ChildCipher("child-1", KEY)
    assert cipher.print_of(CONTENT) == ChildCipher("child-1", KEY).print_of(CONTENT)
    others = {cipher.print_of(CONTENT + b" "), ChildCipher("child-1", OTHER).print_of(CONTENT)}
    assert len(others | {cipher.print_of(CONTENT)}) == 3
    closed = ClosedCipher("child-1", SealBroken("another file's"))
    with pytest.raises(SealBroken, match="another file's"):
        closed.print_of(CONTENT)


def test_the_data_key_seals_and_is_used_for_nothing_else():
    # HKDF-Expand of RFC 5869 with one block: HMAC(key, purpose, 1)
    own = hmac.new(KEY, b"teddy request print\x01", hashlib.sha256).digest()
    expected = hmac.new(own, CONTENT, hashlib.sha256).hexdigest()
    assert ChildCipher("child-1", KEY).print_of(CONTENT) == expected
    assert hmac.new(KEY, CONTENT, hashlib.sha256).hexdigest() != expected
