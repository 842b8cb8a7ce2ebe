from collections.abc import Collection

import pytest

from shared.keyring.cipher import SealBroken, UnknownKek, WrappedKey
from shared.keyring.key_file import FileKeyProvider, KeyFile
from shared.keyring.keyring import Keyring
from tests.fakes.keys import MemoryKeyStore

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


async def test_ciphers_of_many_children_cost_one_look_up_and_none_the_second_time() -> None:
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


async def test_the_least_recently_used_cipher_is_forgotten_first() -> None:
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


async def test_creating_a_key_twice_gives_the_same_cipher() -> None:
    keyring = _a_keyring(MemoryKeyStore())
    first, second = await keyring.create("child-1"), await keyring.create("child-1")
    assert second.open(first.seal(b"secret", "place"), "place") == b"secret"


async def test_a_key_destroyed_elsewhere_is_gone_once_it_is_forgotten() -> None:
    store = MemoryKeyStore()
    ours = _a_keyring(store)
    await ours.create("child-1")
    await store.destroy("child-1")
    ours.forget("child-1")
    assert await ours.cipher("child-1") is None


async def test_a_refused_child_has_no_cipher_though_its_key_came_back() -> None:
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


async def test_a_key_that_does_not_open_keeps_no_other_child_from_its_own() -> None:
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


async def test_who_asks_for_one_child_gets_why_its_key_does_not_open() -> None:
    # given
    store = MemoryKeyStore()
    await store.insert(WrappedKey("child-2", "kek-1", bytes(60)))
    await store.insert(WrappedKey("child-3", "kek-9", bytes(60)))
    # when / then
    with pytest.raises(SealBroken):
        await _a_keyring(store).cipher("child-2")
    with pytest.raises(UnknownKek):
        await _a_keyring(store).cipher("child-3")
