import asyncio
import os

import pytest

from shared.keyring.key_file import FileKeyProvider, KeyFile
from shared.keyring.key_store import KeyDestroyed, WrappedKey
from shared.keyring.keyring import Keyring
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
    destroyed = await stores.keys.destroy("child-1")
    keyring.forget("child-1")
    # then
    assert destroyed
    assert await keyring.cipher("child-1") is None
    assert await stores.keys.destroy("child-1") is False


async def test_a_destroyed_key_never_comes_back(stores: Stores) -> None:
    # given
    keyring = _a_keyring(stores, _a_key_file())
    await keyring.create("child-1")
    await stores.keys.destroy("child-1")
    await stores.keys.destroy("child-2")  # before it had one
    # when
    for child_id in ("child-1", "child-2"):
        with pytest.raises(KeyDestroyed):
            await stores.keys.insert(WrappedKey(child_id, "kek-1", b"w"))
    # then
    assert await stores.keys.find(["child-1", "child-2"]) == []
    asked = ["child-1", "child-2", "child-3"]
    assert await stores.keys.destroyed(asked) == {"child-1", "child-2"}
    assert await stores.keys.count_by_kek() == {}
    assert await stores.keys.not_under("kek-2", "", 9) == []


async def test_of_keys_made_while_one_is_destroyed_none_stays(stores: Stores) -> None:
    # when
    outcomes = await asyncio.gather(
        *(stores.keys.insert(WrappedKey("child-1", "kek-1", bytes([n]))) for n in range(10)),
        stores.keys.destroy("child-1"),
        return_exceptions=True,
    )
    # then
    assert all(isinstance(one, WrappedKey | KeyDestroyed | bool) for one in outcomes)
    assert await stores.keys.find(["child-1"]) == []


async def test_keys_are_counted_by_what_wraps_them(stores: Stores) -> None:
    # given
    for number, kek_id in enumerate(["kek-1", "kek-2", "kek-1"]):
        await stores.keys.insert(WrappedKey(f"child-{number}", kek_id, b"w"))
    # when / then
    assert await stores.keys.count_by_kek() == {"kek-1": 2, "kek-2": 1}


async def test_keys_under_other_keys_come_in_order_and_in_parts(stores: Stores) -> None:
    # given
    for number in (3, 1, 2, 4):
        kek_id = "kek-2" if number == 2 else "kek-1"
        await stores.keys.insert(WrappedKey(f"child-{number}", kek_id, b"w"))
    # when
    first = await stores.keys.not_under("kek-2", "", 2)
    second = await stores.keys.not_under("kek-2", first[-1].child_id, 2)
    # then
    assert [key.child_id for key in first] == ["child-1", "child-3"]
    assert [key.child_id for key in second] == ["child-4"]


async def test_a_key_that_changed_or_went_meanwhile_is_not_replaced(stores: Stores) -> None:
    # given
    stands, changed, gone = (WrappedKey(f"child-{n}", "kek-1", b"w") for n in range(3))
    await stores.keys.insert(stands)
    await stores.keys.insert(WrappedKey("child-1", "kek-1", b"other"))
    # when
    news = [(old, WrappedKey(old.child_id, "kek-2", b"new")) for old in (stands, changed, gone)]
    replaced = await stores.keys.replace(news)
    # then
    assert replaced == 1
    found = await stores.keys.find(["child-0", "child-1", "child-2"])
    assert {(key.child_id, key.wrapped) for key in found} == {
        ("child-0", b"new"),
        ("child-1", b"other"),
    }
