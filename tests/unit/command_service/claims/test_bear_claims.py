"""A bear belongs to one active child."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from command_service.application import older_claims
from command_service.bus.command_bus import Command, CommandResult
from command_service.bus.errors import ConcurrentUpdate
from command_service.child.commands import RegisterChild
from command_service.child.errors import NotDeactivated, UdidTaken
from shared.event_store.port import Claim
from shared.events.personal import Personal
from tests.fakes.event_store import MemoryClaimStore
from tests.support.child_facts import ADA, DEACTIVATE, ERASE, REACTIVATE, REGISTER
from tests.support.command_side import PATIENT, CommandSide, Database, StoppedClock
from tests.support.consents import BORN, REGISTRATION
from tests.support.flaky_stores import UnreachableClaimStore

BOB = "11111111-1111-4111-8111-111111111111"


def of(child_id: str) -> RegisterChild:
    return replace(REGISTER, child_id=child_id)


def claim_of(side: CommandSide, child_id: str, version: int = 0) -> Claim:
    """As left behind by a registration that never landed."""
    return Claim(side.index.udid_key(REGISTER.udid), child_id, version, side.clock())


async def test_a_bear_cannot_belong_to_two_children():
    side = await CommandSide().given(of(ADA))
    with pytest.raises(UdidTaken):
        await side.do(of(BOB))
    assert await side.stored_events() == [*REGISTRATION]
    assert await side.keyring.cipher(BOB) is None


@pytest.mark.parametrize("seed", range(5))
async def test_of_fifty_registrations_at_once_one_gets_the_bear(seed: int):
    # given
    database = Database().interleaved(seed)
    sides = [CommandSide(database), CommandSide(database)]
    # when
    outcomes = await asyncio.gather(
        *(sides[n % 2].do(of(str(UUID(int=n)))) for n in range(50)), return_exceptions=True
    )
    # then
    assert sum(isinstance(each, CommandResult) for each in outcomes) == 1
    assert sum(isinstance(each, UdidTaken) for each in outcomes) == 49


@pytest.mark.parametrize("end", [DEACTIVATE, ERASE], ids=["deactivated", "erased"])
@pytest.mark.parametrize("claims", [MemoryClaimStore, UnreachableClaimStore])
async def test_an_end_sets_the_bear_free_also_where_the_release_is_lost_in_a_crash(
    end: Command, claims: type[MemoryClaimStore]
):
    side = await CommandSide(Database(claims=claims())).given(of(ADA))
    assert (await side.do(end)).version == BORN + 1
    assert (await side.do(of(BOB))).version == BORN


async def test_a_child_returns_with_its_bear_unless_it_moved_on():
    side = await CommandSide().given(of(ADA), DEACTIVATE, REACTIVATE)
    with pytest.raises(UdidTaken):
        await side.do(of(BOB))
    side = await CommandSide().given(of(ADA), DEACTIVATE, of(BOB))
    with pytest.raises(UdidTaken):
        await side.do(REACTIVATE)


async def test_a_late_release_does_not_take_the_bear_from_a_child_that_returned():
    side = await CommandSide().given(of(ADA), DEACTIVATE, REACTIVATE)
    # when: the deactivation at version 2 releases only now
    key = side.index.udid_key(REGISTER.udid)
    await side.database.claims.release(key, ADA, before_version=BORN + 1)
    with pytest.raises(UdidTaken):
        await side.do(of(BOB))


async def test_a_stale_process_does_not_turn_a_reservation_back():
    # given: here the child was deactivated once, there it came and went and came again
    database = Database()
    here, there = CommandSide(database), CommandSide(database)
    await here.do(of(ADA))
    await here.do(DEACTIVATE)
    for command in (REACTIVATE, DEACTIVATE, REACTIVATE):
        await there.do(command)
    # when
    with pytest.raises(NotDeactivated):
        await here.do(REACTIVATE)
    # then: the release of the second deactivation, at version 4, comes too late
    await database.claims.release(here.index.udid_key(REGISTER.udid), ADA, before_version=BORN + 3)
    with pytest.raises(UdidTaken):
        await here.do(of(BOB))


async def test_a_registration_under_way_keeps_its_bear_for_a_minute_after_it_is_contested():
    # given
    clock = StoppedClock()
    side = CommandSide(Database(claims=MemoryClaimStore(clock)))
    await side.database.claims.take(claim_of(side, ADA))
    clock.pass_by(minutes=5)
    # when
    for _ in range(2):
        with pytest.raises(UdidTaken):
            await side.do(of(BOB))
        clock.pass_by(seconds=59)
    # then
    clock.pass_by(seconds=1)
    assert (await side.do(of(BOB))).version == BORN


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_wrong_takes_no_bear_from_a_registration_under_way(hours: int):
    # given
    database = Database()
    here, there = CommandSide(database), CommandSide(database)
    there.clock.pass_by(hours=hours)
    await database.claims.take(claim_of(here, ADA))
    # when, then
    with pytest.raises(UdidTaken):
        await there.do(of(BOB))
    assert (await here.do(of(ADA))).version == BORN


async def test_a_return_that_never_landed_keeps_the_bear_for_a_minute():
    # given
    clock = StoppedClock()
    side = await CommandSide(Database(claims=MemoryClaimStore(clock))).given(of(ADA), DEACTIVATE)
    held = await side.database.claims.find(side.index.udid_key(REGISTER.udid))
    assert await side.database.claims.take_over(held, claim_of(side, ADA, version=BORN + 1))
    # when
    with pytest.raises(UdidTaken):
        await side.do(of(BOB))
    clock.pass_by(seconds=60)
    # then
    assert (await side.do(of(BOB))).version == BORN


async def test_a_reservation_of_ones_own_is_renewed_when_somebody_else_wants_the_bear():
    # given
    clock = StoppedClock()
    side = CommandSide(clock=clock)
    await side.database.claims.take(claim_of(side, ADA))
    with pytest.raises(UdidTaken):
        await side.do(of(BOB))
    clock.pass_by(seconds=59)
    # when
    await side.do(of(ADA))
    # then
    standing = await side.database.claims.take(claim_of(side, BOB))
    assert (standing.claimed_at, standing.contested) == (clock.now, False)


async def test_a_reservation_of_ones_own_that_nobody_else_wants_is_good_enough():
    clock = StoppedClock()
    side = CommandSide(Database(claims=RestlessClaimStore()), clock)
    await side.database.claims.take(claim_of(side, ADA))
    clock.pass_by(minutes=5)
    assert (await side.do(of(ADA))).version == BORN


async def test_what_two_commands_of_a_child_rely_on_is_given_back_by_neither():
    # given: two requests that register the same child, in two processes
    side = CommandSide()
    claims = older_claims(side.ports, PATIENT).claims
    first, second = (
        claims.wanted(ADA, 0, command, udid=Personal(REGISTER.udid)) for command in ("one", "two")
    )
    await claims.reserve(first)
    await claims.reserve(second)
    # when: one of them is refused, and the other may yet land
    for refused in (first, second):
        await claims.give_back(refused)
        # then
        with pytest.raises(UdidTaken):
            await side.do(of(BOB))


async def test_what_one_command_took_is_given_back():
    side = CommandSide()
    claims = older_claims(side.ports, PATIENT).claims
    wishes = claims.wanted(ADA, 0, "one", udid=Personal(REGISTER.udid))
    await claims.reserve(wishes)
    await claims.give_back(wishes)
    assert (await side.do(of(BOB))).version == BORN


async def test_registering_a_child_that_returned_is_a_conflict():
    side = await CommandSide().given(of(ADA), DEACTIVATE, REACTIVATE)
    with pytest.raises(ConcurrentUpdate):
        await side.do(of(ADA))


class RestlessClaimStore(MemoryClaimStore):
    """Every reservation changes hands before it can be taken over."""

    async def take_over(self, held: Claim, claim: Claim) -> bool:
        return False


async def test_a_bear_that_changes_hands_all_the_time_is_reported():
    # given
    clock = StoppedClock()
    side = CommandSide(Database(claims=RestlessClaimStore(clock)))
    held = claim_of(side, BOB)
    await side.database.claims.take(held)
    await side.database.claims.contested_for(held)
    clock.pass_by(minutes=5)
    # when, then
    with pytest.raises(ConcurrentUpdate):
        await side.do(of(ADA))


@pytest.mark.parametrize("seed", range(5))
async def test_of_ten_children_that_want_the_same_free_bear_back_one_gets_it(seed: int):
    # given: ten children had the bear one after the other
    database = Database().interleaved(seed)
    sides = [CommandSide(database), CommandSide(database)]
    children = [str(UUID(int=n)) for n in range(10)]
    for child_id in children:
        await sides[0].do(of(child_id))
        await sides[0].do(replace(DEACTIVATE, child_id=child_id))
    # when
    outcomes = await asyncio.gather(
        *(sides[n % 2].do(replace(REACTIVATE, child_id=c)) for n, c in enumerate(children)),
        return_exceptions=True,
    )
    # then
    refusals = (UdidTaken, ConcurrentUpdate)
    assert sum(isinstance(each, CommandResult) for each in outcomes) == 1
    assert sum(isinstance(each, refusals) for each in outcomes) == 9
