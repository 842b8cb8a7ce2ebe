import asyncio
import os

from shared.keyring.key_file import FileKeyProvider, KeyFile
from shared.keyring.keyring import Keyring
from shared.keyring.provider import WrappedKey
from tests.contract.conftest import Stores


def _a_keyring(stores: Stores, keys: KeyFile) -> Keyring:
    return Keyring(FileKeyProvider(keys), stores.keys)


def _a_key_file() -> KeyFile:
    return KeyFile("kek-1", {"kek-1": os.urandom(32)}, os.urandom(32), os.urandom(32))


async def test_a_child_has_one_key_however_often_it_is_created(stores: Stores) -> None:
    # given two processes
    keys = _a_key_file()
    first, second = _a_keyring(stores, keys), _a_keyring(stores, keys)
    # when both create the child's key
    ours, theirs = await asyncio.gather(first.create("child-1"), second.create("child-1"))
    # then
    assert theirs.open(ours.seal(b"secret", "place"), "place") == b"secret"


async def test_of_fifty_keys_offered_for_one_child_all_get_the_same(stores: Stores) -> None:
    # given
    offered = [WrappedKey("child-1", "kek-1", bytes([number])) for number in range(50)]
    # when
    kept = await asyncio.gather(*(stores.keys.insert(key) for key in offered))
    # then
    assert len({key.wrapped for key in kept}) == 1
    assert await stores.keys.find(["child-1"]) == [kept[0]]


async def test_only_children_with_a_key_are_found(stores: Stores) -> None:
    # given
    await asyncio.gather(
        *(stores.keys.insert(WrappedKey(f"child-{n}", "kek-1", b"w")) for n in range(3))
    )
    # when
    found = await stores.keys.find(["child-0", "child-2", "child-9"])
    # then
    assert sorted(key.child_id for key in found) == ["child-0", "child-2"]


async def test_a_destroyed_key_leaves_no_cipher(stores: Stores) -> None:
    # given
    keyring = _a_keyring(stores, _a_key_file())
    await keyring.create("child-1")
    # when
    destroyed = await keyring.destroy("child-1")
    # then
    assert destroyed
    assert await keyring.cipher("child-1") is None
    assert await keyring.destroy("child-1") is False
