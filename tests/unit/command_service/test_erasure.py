"""Erasure: the fact first, then everything that could still be read."""

import pytest

from command_service.default_bus import Tuning
from command_service.domain.child.errors import ChildNotFound
from shared.event_store.port import StoreUnavailable
from shared.hash_chain import verify_chain
from tests.support.child_facts import ADA, DEACTIVATE, ERASE, REGISTER, REPORT, START, update
from tests.support.command_side import MOTHER, STRANGER, CommandSide, Database
from tests.support.consents import BORN
from tests.support.flaky_stores import FlakyKeyStore


async def test_key_and_snapshot_are_gone_and_the_history_still_verifies():
    # given
    side = CommandSide(tuning=Tuning(snapshot_every=1))
    for command in (REGISTER, START, REPORT, update(age=8)):
        await side.do(command)
    # when
    result = await side.do(ERASE, MOTHER)
    # then
    assert (result.version, result.events) == (BORN + 4, ("ChildErased",))
    assert await side.keyring.cipher(ADA) is None
    assert await side.database.snapshots.latest(ADA) is None
    assert verify_chain(await side.database.events.load(ADA)).version == BORN + 4


async def test_an_erased_child_still_loads_without_its_key():
    # given
    side = CommandSide()
    await side.do(REGISTER)
    await side.do(ERASE)
    # when
    result = await CommandSide(side.database).do(ERASE, MOTHER)
    # then
    assert (result.version, result.events) == (BORN + 1, ())


async def test_a_deactivated_child_can_be_erased():
    side = CommandSide()
    await side.do(REGISTER)
    await side.do(DEACTIVATE)
    assert (await side.do(ERASE)).version == BORN + 2


async def test_the_key_outlives_nothing_but_an_absent_key_store():
    # given
    keys = FlakyKeyStore()
    side = CommandSide(Database(keys=keys))
    await side.do(REGISTER)
    keys.failing_deletes = 99
    with pytest.raises(StoreUnavailable):
        await side.do(ERASE, key="key-1")
    # when: the caller sends the same request again
    keys.failing_deletes = 0
    result = await side.do(ERASE, key="key-1")
    # then
    assert (result.events, result.replayed) == (("ChildErased",), True)
    assert await side.keyring.cipher(ADA) is None


async def test_a_short_absence_of_the_key_store_is_made_up_for():
    # given
    keys = FlakyKeyStore()
    side = CommandSide(Database(keys=keys))
    await side.do(REGISTER)
    # when
    keys.failing_deletes = 2
    await side.do(ERASE)
    # then
    assert await side.keyring.cipher(ADA) is None


async def test_a_stranger_erases_nothing():
    # given
    side = CommandSide()
    await side.do(REGISTER)
    await side.do(ERASE)
    # when, then
    with pytest.raises(ChildNotFound):
        await side.do(ERASE, STRANGER)
