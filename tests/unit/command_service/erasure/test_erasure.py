"""Erasure: the fact first, then everything that could still be read."""

from dataclasses import replace

import pytest

from command_service.application import Tuning
from command_service.bus.command_bus import Command
from command_service.child.errors import ChildErasedError, ChildNotFound
from shared.clock import new_id
from shared.event_store.envelope import verify_chain
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasureStep
from tests.support.child_facts import (
    ADA,
    DEACTIVATE,
    ERASE,
    REACTIVATE,
    REGISTER,
    REPORT,
    START,
    update,
)
from tests.support.command_side import MOTHER, STRANGER, CommandSide, Database
from tests.support.consents import BORN, REGISTRATION
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
    side = CommandSide()
    await side.do(REGISTER)
    await side.do(ERASE)
    result = await CommandSide(side.database).do(ERASE, MOTHER)
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
    keys = FlakyKeyStore()
    side = CommandSide(Database(keys=keys))
    await side.do(REGISTER)
    keys.failing_deletes = 2
    await side.do(ERASE)
    assert await side.keyring.cipher(ADA) is None


async def test_a_stranger_erases_nothing():
    side = CommandSide()
    await side.do(REGISTER)
    await side.do(ERASE)
    with pytest.raises(ChildNotFound):
        await side.do(ERASE, STRANGER)


async def test_what_was_removed_is_on_the_list():
    # given
    side = CommandSide(tuning=Tuning(snapshot_every=1))
    await side.do(REGISTER)
    # when
    result = await side.do(ERASE, MOTHER)
    # then
    (erased,) = await side.database.erased.find([ADA])
    assert (erased.version, erased.hash, erased.by_role) == (BORN + 1, result.hash, "parent")
    removed = {step: done.removed for step, done in erased.steps.items()}
    assert removed == {ErasureStep.KEY: 1, ErasureStep.CLAIMS: 2, ErasureStep.SNAPSHOTS: 1}


@pytest.mark.parametrize(
    ("store", "call"),
    [
        ("erased", "add"),
        ("keys", "destroy"),
        ("erased", "record"),
        ("claims", "remove_of"),
        ("snapshots", "delete"),
    ],
)
async def test_a_crash_at_any_step_is_made_up_for_by_asking_again(
    store: str, call: str, monkeypatch: pytest.MonkeyPatch
):
    # given
    database = Database()
    side = CommandSide(database, tuning=Tuning(snapshot_every=1))
    await side.do(REGISTER)
    with monkeypatch.context() as crash:

        async def dies(*_: object) -> None:
            raise ConnectionError

        crash.setattr(getattr(database, store), call, dies)
        with pytest.raises(ConnectionError):
            await side.do(ERASE, MOTHER)
    # when: another process is asked
    await CommandSide(database).do(ERASE, MOTHER)
    # then
    (erased,) = await database.erased.find([ADA])
    assert erased.missing == [ErasureStep.READ_MODELS, ErasureStep.DEAD_LETTERS]
    assert await database.keys.find([ADA]) == []
    assert await database.snapshots.latest(ADA) is None
    assert await database.claims.held_by([ADA]) == set()
    assert await side.stored_events() == [*REGISTRATION, "ChildErased"]


async def test_a_child_whose_key_was_lost_can_still_be_erased():
    database = Database()
    await CommandSide(database).do(REGISTER)
    await database.keys.destroy(ADA)
    result = await CommandSide(database).do(ERASE, MOTHER)
    assert result.events == ("ChildErased",)


async def test_a_registration_repeated_after_the_erasure_makes_no_key_and_takes_no_bear():
    # given
    side = CommandSide()
    await side.do(REGISTER, key="key-1")
    await side.do(ERASE)
    # when
    with pytest.raises(ChildErasedError):
        await side.do(REGISTER, key="key-1")
    # then
    assert await side.database.keys.find([ADA]) == []
    assert await side.database.claims.held_by([ADA]) == set()


async def test_a_process_that_still_has_the_key_in_memory_writes_nothing_more():
    # given
    database = Database()
    ours, theirs = CommandSide(database), CommandSide(database)
    await ours.do(REGISTER)
    await theirs.do(update(age=8))
    # when
    await ours.do(ERASE, MOTHER)
    # then
    with pytest.raises(ChildErasedError):
        await theirs.do(update(name="Eve"))
    assert await theirs.keyring.cipher(ADA) is None
    assert (await theirs.stored_events())[-1] == "ChildErased"


@pytest.mark.parametrize(
    ("past", "late"),
    [([], update(device_id="another-bear")), ([DEACTIVATE], REACTIVATE)],
    ids=["another device", "return"],
)
async def test_a_process_that_does_not_know_yet_reserves_nothing_for_an_erased_child(
    past: list[Command], late: Command
):
    # given
    database = Database()
    ours, theirs = CommandSide(database), CommandSide(database)
    await theirs.do(REGISTER)
    for command in past:
        await theirs.do(command)
    await ours.do(ERASE)
    # when: it takes the reservation before it finds out
    with pytest.raises(ChildErasedError):
        await theirs.do(late)
    # then
    assert await database.claims.held_by([ADA]) == set()


async def test_the_bear_of_an_erased_child_is_free():
    side = CommandSide()
    await side.do(REGISTER)
    await side.do(ERASE)
    result = await side.do(replace(REGISTER, child_id=new_id()))
    assert result.events == REGISTRATION
