"""Rotation of the key-encryption key, and the adapter that docs/keys.md shows."""

import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.proofs.key_rotation import SETTLING, RotationRefused, add_kek, remove_kek, rewrap_all
from shared.event_store.port import StoreUnavailable
from shared.keyring.key_file import FileKeyProvider, WatchedKeyFile, create_key_file, read_key_file
from shared.keyring.key_store import WrappedKey
from shared.keyring.keyring import KeyProvider, Keyring, SealBroken, UnknownKek
from tests.fakes.keys import MemoryKeyStore

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CHILDREN = [f"child-{number:04}" for number in range(1_200)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    created = tmp_path / "keys.json"
    create_key_file(created)
    return created


@pytest.fixture
def first(path: Path) -> str:
    """The id of the key that the file began with."""
    return read_key_file(path).active


async def secrets(keyring: Keyring) -> list[str]:
    """One sealed text a child, to be opened again later."""
    return [(await keyring.create(child)).seal(child.encode(), "place") for child in CHILDREN]


async def rewrap(store: MemoryKeyStore, path: Path) -> int:
    keys = read_key_file(path)
    rewrapped = await rewrap_all(store, FileKeyProvider(keys), keys.active, lambda _: None)
    assert rewrapped.unopened == {}
    return rewrapped.number


async def test_after_a_rotation_everything_opens_with_the_new_key_alone(path: Path, first: str):
    # given
    store = MemoryKeyStore()
    sealed = await secrets(Keyring(WatchedKeyFile(path), store))
    # when
    added = add_kek(path, NOW)
    moved = await rewrap(store, path)
    remove_kek(path, first, 0, NOW + SETTLING)
    # then
    assert (added.rpartition("-")[0], moved) == ("kek-2", len(CHILDREN))
    assert await store.count_by_kek() == {added: len(CHILDREN)}
    assert list(read_key_file(path).keks) == [added]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ciphers = await Keyring(WatchedKeyFile(path), store).ciphers(CHILDREN)
    for child, text in zip(CHILDREN, sealed, strict=True):
        assert ciphers[child].open(text, "place") == child.encode()


async def test_a_rotation_that_was_killed_goes_on_where_it_was(path: Path):
    # given
    store = MemoryKeyStore()
    await secrets(Keyring(WatchedKeyFile(path), store))
    keys = read_key_file(path)
    added = add_kek(path, NOW)

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    provider = FileKeyProvider(read_key_file(path))
    with pytest.raises(KeyboardInterrupt):
        await rewrap_all(store, provider, added, killed)
    left = (await store.count_by_kek())[keys.active]
    assert 0 < left < len(CHILDREN)
    # when / then
    assert await rewrap(store, path) == left
    assert await store.count_by_kek() == {added: len(CHILDREN)}


async def test_a_file_of_an_early_release_is_rotated_and_goes_on_opening(path: Path, first: str):
    # given a file whose key has the id that all files' keys had
    early = path.read_text().replace(first, "kek-1")
    path.write_text(early)
    wrapped = await WatchedKeyFile(path).wrap("child-1", bytes(32))
    # when
    added = add_kek(path, NOW)
    # then
    assert added.startswith("kek-2-")
    assert wrapped.kek_id == "kek-1"
    assert await WatchedKeyFile(path).unwrap(wrapped) == bytes(32)


async def test_a_data_key_of_another_file_is_left_and_named_and_all_others_are_wrapped(path: Path):
    # given
    store = MemoryKeyStore()
    await secrets(Keyring(WatchedKeyFile(path), store))
    await store.insert(WrappedKey("a-stranger", "kek-9", bytes(60)))
    added = add_kek(path, NOW)
    # when
    rewrapped = await rewrap_all(store, FileKeyProvider(read_key_file(path)), added, lambda _: None)
    # then
    assert (rewrapped.number, list(rewrapped.unopened)) == (len(CHILDREN), ["a-stranger"])
    assert "kek-9" in rewrapped.unopened["a-stranger"]
    assert await store.count_by_kek() == {added: len(CHILDREN), "kek-9": 1}


async def test_a_running_process_wraps_under_the_new_key_and_opens_both(path: Path, first: str):
    # given
    store, provider = MemoryKeyStore(), WatchedKeyFile(path)
    before = await provider.wrap("child-1", bytes(32))
    # when
    added = add_kek(path, NOW)
    # then
    after = await provider.wrap("child-2", bytes(32))
    assert (before.kek_id, after.kek_id) == (first, added)
    assert await provider.unwrap(before) == await provider.unwrap(after) == bytes(32)
    assert await store.count_by_kek() == {}


async def test_a_process_that_wraps_nothing_meets_the_new_key_and_opens_it(path: Path):
    reader = WatchedKeyFile(path)
    add_kek(path, NOW)
    wrapped = await WatchedKeyFile(path).wrap("child-1", bytes(32))
    assert await reader.unwrap(wrapped) == bytes(32)


async def test_a_key_file_that_got_unusable_leaves_the_keys_that_were_known(path: Path, first: str):
    provider = WatchedKeyFile(path)
    wrapped = await provider.wrap("child-1", bytes(32))
    path.write_text("{}")
    assert await provider.unwrap(wrapped) == bytes(32)
    assert (await provider.wrap("child-2", bytes(32))).kek_id == first


async def test_a_key_that_is_in_no_file_is_reported(path: Path):
    elsewhere = path.with_name("other.json")
    create_key_file(elsewhere)
    wrapped = await WatchedKeyFile(elsewhere).wrap("child-1", bytes(32))
    with pytest.raises(UnknownKek, match=read_key_file(elsewhere).active):
        await WatchedKeyFile(path).unwrap(wrapped)


@pytest.mark.parametrize(
    ("kek_id", "wrapped", "later", "reason"),
    [
        ("the new one", 0, SETTLING, "it is the active key"),
        ("the first", 3, SETTLING, "3 data keys are wrapped under it"),
        ("the first", 0, SETTLING / 2, "less than 60 s ago"),
        ("kek-9", 0, SETTLING, "has no such key"),
    ],
)
def test_a_key_that_may_still_be_needed_stays(
    path: Path, first: str, kek_id: str, wrapped: int, later: timedelta, reason: str
):
    ids = {"the first": first, "the new one": add_kek(path, NOW)}
    before = path.read_bytes()
    with pytest.raises(RotationRefused, match=reason):
        remove_kek(path, ids.get(kek_id, kek_id), wrapped, NOW + later)
    assert path.read_bytes() == before


def test_of_two_rotations_at_once_the_second_is_refused(path: Path):
    before = path.read_bytes()
    path.with_name("keys.json.new").touch()
    with pytest.raises(RotationRefused, match="another rotation is running"):
        add_kek(path, NOW)
    assert path.read_bytes() == before


async def test_no_data_key_is_wrapped_under_a_key_that_a_power_cut_could_take_back(
    path: Path, first: str, monkeypatch: pytest.MonkeyPatch
):
    # given
    synced: list[tuple[bool, list[str]]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), list(read_key_file(path).keks)))

    monkeypatch.setattr(os, "fsync", fsync)
    # when
    added = add_kek(path, NOW)
    # then the content was on disk before the file got its name, and the name before the return
    assert synced == [(False, [first]), (True, [first, added])]


PAGE = Path(__file__).parents[4] / "docs" / "keys.md"


class NotFoundException(Exception):
    pass


class InvalidCiphertextException(Exception):
    pass


class MemoryKms:
    """Hands out numbers for what it was given, and gives that back for number, key and context."""

    class exceptions:  # noqa: N801 - the name that clients of such services have
        NotFoundException = NotFoundException
        InvalidCiphertextException = InvalidCiphertextException

    def __init__(self, *key_ids: str) -> None:
        self.key_ids = set(key_ids)
        self.away = False
        self._kept: dict[bytes, tuple[str, dict[str, str], bytes]] = {}

    async def encrypt(self, **sent: Any) -> dict[str, Any]:
        self._require(sent["KeyId"])
        blob = len(self._kept).to_bytes(4, "big")
        self._kept[blob] = (sent["KeyId"], sent["EncryptionContext"], sent["Plaintext"])
        return {"CiphertextBlob": blob}

    async def decrypt(self, **sent: Any) -> dict[str, Any]:
        self._require(sent["KeyId"])
        key_id, context, plaintext = self._kept[sent["CiphertextBlob"]]
        if (key_id, context) != (sent["KeyId"], sent["EncryptionContext"]):
            raise InvalidCiphertextException
        return {"Plaintext": plaintext}

    def _require(self, key_id: str) -> None:
        if self.away:
            raise ConnectionRefusedError
        if key_id not in self.key_ids:
            raise NotFoundException


def provider(kms: MemoryKms) -> KeyProvider:
    (sketch,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "sketch"}
    exec(sketch, names)
    shown: KeyProvider = names["KmsKeyProvider"](kms, "key-1")
    return shown


async def test_what_one_process_seals_another_one_opens():
    kms, store = MemoryKms("key-1"), MemoryKeyStore()
    sealed = (await Keyring(provider(kms), store).create("ada")).seal(b"Ada", "place")
    cipher = await Keyring(provider(kms), store).cipher("ada")
    assert cipher is not None
    assert cipher.open(sealed, "place") == b"Ada"


async def test_a_data_key_moved_to_another_child_does_not_open():
    shown = provider(MemoryKms("key-1"))
    wrapped = await shown.wrap("ada", bytes(32))
    with pytest.raises(SealBroken):
        await shown.unwrap(WrappedKey("bob", wrapped.kek_id, wrapped.wrapped))


async def test_a_key_that_the_service_does_not_have_is_reported():
    kms = MemoryKms("key-1")
    wrapped = await provider(kms).wrap("ada", bytes(32))
    kms.key_ids.clear()
    with pytest.raises(UnknownKek, match="key-1"):
        await provider(kms).unwrap(wrapped)


async def test_a_service_that_is_away_is_no_broken_seal():
    kms = MemoryKms("key-1")
    wrapped = await provider(kms).wrap("ada", bytes(32))
    kms.away = True
    with pytest.raises(StoreUnavailable):
        await provider(kms).unwrap(wrapped)
    with pytest.raises(StoreUnavailable):
        await provider(kms).wrap("ada", bytes(32))
