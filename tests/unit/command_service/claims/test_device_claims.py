"""One token speaks for the bear of one active child: device ids are reserved as udids are."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from command_service.bus.command_bus import Command, CommandResult
from command_service.child.commands import RegisterChild
from command_service.child.errors import ChildNotFound, DeviceIdTaken, UdidTaken
from shared.event_store.port import Claim
from tests.fakes.event_store import MemoryClaimStore
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
from tests.support.command_side import BEAR, CommandSide, Database, StoppedClock
from tests.support.consents import BORN, REGISTRATION
from tests.support.flaky_stores import UnreachableClaimStore

BOB = "11111111-1111-4111-8111-111111111111"
CLEO = "22222222-2222-4222-8222-222222222222"
BOBS_UDID = "TEDDY-0000-0002"


def of(child_id: str, udid: str = BOBS_UDID, device_id: str | None = BEAR.subject) -> RegisterChild:
    return replace(REGISTER, child_id=child_id, udid=udid, device_id=device_id)


async def device_claim(side: CommandSide, device_id: str = BEAR.subject) -> Claim | None:
    found: Claim | None = await side.database.claims.find(side.index.device_key(device_id.upper()))
    return found


async def is_accepted(side: CommandSide, child_id: str, device_id: str) -> bool:
    """Whether the bear may report about the child."""
    report = replace(REPORT, child_id=child_id, violation_id=str(UUID(int=7)))
    try:
        await side.do(report, BEAR._replace(subject=device_id))
    except ChildNotFound:
        return False
    return True


@pytest.mark.parametrize("device_id", [BEAR.subject, "BEAR-device-1"])
async def test_one_device_cannot_speak_for_two_children(device_id: str):
    side = await CommandSide().given(REGISTER)
    with pytest.raises(DeviceIdTaken):
        await side.do(of(BOB, device_id=device_id))
    assert await side.stored_events() == [*REGISTRATION]
    assert await side.keyring.cipher(BOB) is None


async def test_a_registration_that_is_refused_for_its_device_keeps_no_bear():
    side = await CommandSide().given(REGISTER)
    with pytest.raises(DeviceIdTaken):
        await side.do(of(BOB))
    assert (await side.do(of(CLEO, device_id="bear-device-3"))).version == BORN


async def test_children_may_be_without_a_device_and_a_second_hand_bear_is_the_new_family_s_alone():
    side = await CommandSide().given(of(ADA, "TEDDY-0000-0001", None))
    assert (await side.do(of(BOB, device_id=None))).version == BORN
    side = await CommandSide().given(REGISTER, DEACTIVATE, of(BOB, REGISTER.udid))
    assert await is_accepted(side, BOB, BEAR.subject)
    assert not await is_accepted(side, ADA, BEAR.subject)


@pytest.mark.parametrize("seed", range(5))
async def test_of_fifty_registrations_at_once_one_gets_the_device(seed: int):
    # given: each has a bear of its own, or all have the same
    database = Database().interleaved(seed)
    sides = [CommandSide(database), CommandSide(database)]
    commands = [
        of(str(UUID(int=n)), REGISTER.udid if n % 3 else f"TEDDY-0000-{n:04}") for n in range(50)
    ]
    # when
    outcomes = await asyncio.gather(
        *(sides[n % 2].do(command) for n, command in enumerate(commands)), return_exceptions=True
    )
    # then
    assert sum(isinstance(each, CommandResult) for each in outcomes) == 1
    assert sum(isinstance(each, (UdidTaken, DeviceIdTaken)) for each in outcomes) == 49


@pytest.mark.parametrize("seed", range(5))
async def test_of_two_children_who_want_the_same_device_at_once_one_gets_it(seed: int):
    # given
    database = Database().interleaved(seed)
    sides = [CommandSide(database), CommandSide(database)]
    for child_id, udid in ((ADA, "TEDDY-0000-0001"), (BOB, BOBS_UDID)):
        await sides[0].do(of(child_id, udid, f"of-{child_id}"))
    # when
    wishes = [replace(update(device_id="second-hand"), child_id=each) for each in (ADA, BOB)]
    outcomes = await asyncio.gather(
        *(side.do(wish) for side, wish in zip(sides, wishes, strict=True)), return_exceptions=True
    )
    # then
    assert sorted(type(each).__name__ for each in outcomes) == ["CommandResult", "DeviceIdTaken"]
    heard = [await is_accepted(sides[0], each, "second-hand") for each in (ADA, BOB)]
    assert heard.count(True) == 1


async def test_a_change_of_the_device_takes_one_and_gives_the_other_free():
    side = await CommandSide().given(REGISTER)
    await side.do(update(device_id="bear-device-2"))
    with pytest.raises(DeviceIdTaken):
        await side.do(of(BOB, device_id="bear-device-2"))
    assert (await side.do(of(BOB))).version == BORN
    assert not await is_accepted(side, ADA, BEAR.subject)
    side = await CommandSide().given(REGISTER, update(device_id=None))
    assert not await is_accepted(side, ADA, BEAR.subject)
    assert (await side.do(of(BOB))).version == BORN


async def test_another_case_of_the_same_device_is_no_other_device():
    side = await CommandSide().given(REGISTER)
    await side.do(update(device_id="BEAR-DEVICE-1"))
    # then tokens are compared as they are written, reservations are not
    assert await is_accepted(side, ADA, "BEAR-DEVICE-1")
    assert not await is_accepted(side, ADA, BEAR.subject)
    with pytest.raises(DeviceIdTaken):
        await side.do(of(BOB))


async def test_a_change_that_only_repeats_the_device_does_not_loosen_its_reservation():
    # given
    clock = StoppedClock()
    side = await CommandSide(Database(claims=MemoryClaimStore(clock)), clock).given(REGISTER)
    before = await device_claim(side)
    # when
    await side.do(update(age=8, device_id=BEAR.subject))
    # then
    assert await device_claim(side) == before
    for _ in range(2):
        with pytest.raises(DeviceIdTaken):
            await side.do(of(BOB))
        clock.pass_by(minutes=2)


async def test_the_device_of_another_family_cannot_be_taken_by_a_change():
    side = await CommandSide().given(REGISTER, of(BOB, device_id="bear-device-2"))
    with pytest.raises(DeviceIdTaken):
        await side.do(replace(update(device_id=BEAR.subject), child_id=BOB))
    assert await is_accepted(side, BOB, "bear-device-2")
    assert await is_accepted(side, ADA, BEAR.subject)


@pytest.mark.parametrize(
    "end",
    [DEACTIVATE, ERASE, update(device_id="bear-device-2"), update(device_id=None)],
    ids=["deactivated", "erased", "exchanged", "cleared"],
)
async def test_a_release_lost_in_a_crash_is_made_up_for(end: Command):
    side = await CommandSide(Database(claims=UnreachableClaimStore())).given(REGISTER, end)
    assert (await side.do(of(BOB))).version == BORN


async def test_a_change_that_never_landed_holds_the_device_for_a_minute_only():
    # given
    clock = StoppedClock()
    side = await CommandSide(Database(claims=MemoryClaimStore(clock)), clock).given(REGISTER)
    lost = side.index.device_key("BEAR-DEVICE-2")
    await side.database.claims.take(Claim(lost, ADA, BORN, clock()))
    # when
    with pytest.raises(DeviceIdTaken):
        await side.do(of(BOB, device_id="bear-device-2"))
    clock.pass_by(seconds=60)
    # then
    assert (await side.do(of(BOB, device_id="bear-device-2"))).version == BORN


async def test_a_reservation_marked_as_released_does_not_take_the_device_from_who_has_it():
    side = await CommandSide().given(REGISTER)
    await side.database.claims.release(side.index.device_key("BEAR-DEVICE-1"), ADA, 99)
    with pytest.raises(DeviceIdTaken):
        await side.do(of(BOB))


async def test_a_child_returns_with_its_device():
    side = await CommandSide().given(REGISTER, DEACTIVATE, REACTIVATE)
    assert await is_accepted(side, ADA, BEAR.subject)
    with pytest.raises(DeviceIdTaken):
        await side.do(of(BOB))


async def test_a_child_whose_device_moved_on_returns_without_it():
    # given
    side = await CommandSide().given(REGISTER, DEACTIVATE, of(BOB))
    # when
    result = await side.do(REACTIVATE, key="back")
    # then
    assert result.events == ("ChildReactivated", "ChildProfileUpdated")
    assert not await is_accepted(side, ADA, BEAR.subject)
    assert await is_accepted(side, BOB, BEAR.subject)
    with pytest.raises(UdidTaken):
        await side.do(of(CLEO, REGISTER.udid, "bear-device-3"))
    # when it is asked again
    again = await side.do(REACTIVATE, key="back")
    # then
    assert (again.replayed, again.version) == (True, result.version)


@pytest.mark.parametrize("seed", range(5))
async def test_of_ten_children_that_return_to_one_device_at_once_one_gets_it(seed: int):
    # given: ten children had the device one after the other, each with a bear of its own
    database = Database().interleaved(seed)
    sides = [CommandSide(database), CommandSide(database)]
    children = [str(UUID(int=n)) for n in range(1, 11)]
    for number, child_id in enumerate(children):
        await sides[0].do(of(child_id, f"TEDDY-0000-{number:04}"))
        await sides[0].do(replace(DEACTIVATE, child_id=child_id))
    # when
    await asyncio.gather(
        *(sides[n % 2].do(replace(REACTIVATE, child_id=c)) for n, c in enumerate(children))
    )
    # then
    heard = [await is_accepted(sides[0], child_id, BEAR.subject) for child_id in children]
    assert heard.count(True) == 1


async def test_a_repeated_change_does_not_give_free_what_came_after_it():
    # given
    side = await CommandSide().given(REGISTER)
    for number in (2, 3):
        await side.do(update(device_id=f"bear-device-{number}"), key=f"to-{number}")
    # when
    again = await side.do(update(device_id="bear-device-2"), key="to-2")
    # then
    assert again.replayed
    with pytest.raises(DeviceIdTaken):
        await side.do(of(BOB, device_id="bear-device-3"))
    assert (await side.do(of(BOB, device_id="bear-device-2"))).version == BORN


async def test_a_reservation_of_what_cannot_be_read_is_not_taken():
    # given a child whose key is lost, though it was not erased
    side = await CommandSide().given(REGISTER)
    other = CommandSide(Database(events=side.database.events, claims=side.database.claims))
    with pytest.raises(DeviceIdTaken):
        await other.do(of(BOB))


async def test_conversations_are_the_new_device_s():
    side = await CommandSide().given(REGISTER, update(device_id="bear-device-2"))
    with pytest.raises(ChildNotFound):
        await side.do(START, BEAR)
    started = await side.do(START, BEAR._replace(subject="bear-device-2"))
    assert started.events == ("ConversationStarted",)
