"""Children of before device ids were reserved, and udids in one case, keep their bears."""

import asyncio
from dataclasses import replace

import pytest

from command_service.application import older_claims
from command_service.child.commands import RegisterChild, StartConversation
from command_service.child.errors import DeviceIdTaken, UdidTaken
from command_service.claims import older_claims as settling
from command_service.claims.older_claims import FINDING, OlderClaims
from shared.event_store.port import Claim, StoreUnavailable
from tests.fakes.event_store import MemoryClaimStore
from tests.support.child_facts import ADA, DEACTIVATE, ERASE, REACTIVATE, REGISTER, START, update
from tests.support.command_side import BEAR, PATIENT, CommandSide, Database
from tests.support.consents import BORN
from tests.support.waiting import eventually

BOB = "11111111-1111-4111-8111-111111111111"
CLEO = "22222222-2222-4222-8222-222222222222"
MIXED = "Teddy-0000-0001"
"""A udid that is reserved as another text than it is written."""


def of(child_id: str, udid: str, device_id: str | None = BEAR.subject) -> RegisterChild:
    return replace(REGISTER, child_id=child_id, udid=udid, device_id=device_id)


async def registered_before(side: CommandSide, command: RegisterChild) -> CommandSide:
    """As by the release before: the udid is reserved as it is written, the device id is not."""
    claims = side.database.claims
    await side.do(replace(command, device_id=None))
    if command.device_id is not None:
        await side.do(replace(update(device_id=command.device_id), child_id=command.child_id))
    await claims.remove_of(command.child_id)
    key = side.index.udid_key(command.udid)
    claims.put_older(Claim(key, command.child_id, 0, side.clock()))
    return side


def settler(side: CommandSide) -> OlderClaims:
    return older_claims(side.ports, PATIENT)


async def test_a_udid_reserved_as_it_was_written_is_found_before_anything_is_settled():
    side = await registered_before(CommandSide(), of(ADA, MIXED))
    with pytest.raises(UdidTaken):
        await side.do(of(BOB, MIXED, None))


async def test_once_settled_a_udid_is_taken_in_every_case_and_so_is_the_device():
    # given
    side = await registered_before(CommandSide(), of(ADA, MIXED))
    # when
    assert await settler(side).settle() == 1
    # then
    for udid in (MIXED, MIXED.upper(), MIXED.lower()):
        with pytest.raises(UdidTaken):
            await side.do(of(BOB, udid, None))
    for device_id in (BEAR.subject, BEAR.subject.upper()):
        with pytest.raises(DeviceIdTaken):
            await side.do(of(BOB, "TEDDY-0000-0002", device_id))
    assert await settler(side).settle() == 0


async def test_what_was_settled_ends_and_returns_as_ever():
    # given
    side = await registered_before(CommandSide(), of(ADA, MIXED))
    await settler(side).settle()
    # when
    await side.do(DEACTIVATE)
    await side.do(of(BOB, MIXED.upper()))
    await side.do(replace(DEACTIVATE, child_id=BOB))
    # then
    assert (await side.do(REACTIVATE)).events == ("ChildReactivated",)
    with pytest.raises(UdidTaken):
        await side.do(of(CLEO, MIXED.lower(), None))


async def test_a_child_deactivated_before_gets_nothing_and_returns():
    # given
    side = await registered_before(CommandSide(), of(ADA, MIXED))
    await side.do(DEACTIVATE)
    # when
    await settler(side).settle()
    # then
    assert (await side.do(of(BOB, MIXED))).version == BORN
    await side.do(replace(DEACTIVATE, child_id=BOB))
    await side.do(REACTIVATE)
    with pytest.raises(DeviceIdTaken):
        await side.do(of(CLEO, "TEDDY-0000-0003"))


async def test_two_children_that_share_a_device_since_long_both_keep_it():
    # given
    side = await registered_before(CommandSide(), of(ADA, "TEDDY-0000-0001"))
    await registered_before(side, of(BOB, "TEDDY-0000-0002"))
    # when
    assert await settler(side).settle() == 1
    # then neither falls silent, and no third joins them
    for number, child_id in enumerate((ADA, BOB)):
        await side.do(talk(child_id, number), BEAR)
    with pytest.raises(DeviceIdTaken):
        await side.do(of(CLEO, "TEDDY-0000-0003"))
    # when one of them gives it up
    (holder,) = await holders(side)
    await side.do(replace(DEACTIVATE, child_id=holder))
    assert await settler(side).settle() == 1
    # then it is the other's
    assert await holders(side) == [ADA if holder == BOB else BOB]
    with pytest.raises(DeviceIdTaken):
        await side.do(of(CLEO, "TEDDY-0000-0003"))


async def test_a_registration_under_way_is_left_alone():
    side = CommandSide()
    key = side.index.udid_key(REGISTER.udid)
    side.database.claims.put_older(Claim(key, ADA, 0, side.clock()))
    assert await settler(side).settle() == 0
    with pytest.raises(UdidTaken):
        await side.do(of(BOB, REGISTER.udid))


async def test_more_than_a_page_is_settled_to_the_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(settling, "PAGE", 2)
    side = CommandSide()
    children = [f"00000000-0000-4000-8000-{number:012}" for number in range(5)]
    for number, child_id in enumerate(children):
        await registered_before(side, of(child_id, f"Teddy-0000-000{number}", f"bear-{number}"))
    assert await settler(side).settle() == 5


class OftenAwayClaims(MemoryClaimStore):
    """Does not answer the first time."""

    asked = 0

    async def older(self, after: str, limit: int) -> list[Claim]:
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable("no primary")
        return await super().older(after, limit)


async def test_a_process_is_ready_once_it_looked_at_all(monkeypatch: pytest.MonkeyPatch):
    # given
    monkeypatch.setattr(settling, "LOOK_SECONDS", 0.01)
    side = CommandSide(Database(claims=OftenAwayClaims()))
    await registered_before(side, of(ADA, MIXED))
    older = settler(side)
    assert older.findings() == (FINDING,)
    # when
    keeping = asyncio.create_task(older.keep_settling())

    async def is_done() -> bool:
        return older.findings() == ()

    # then
    await eventually(is_done)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    with pytest.raises(UdidTaken):
        await side.do(of(BOB, MIXED.upper()))


def talk(child_id: str, number: int) -> StartConversation:
    conversation_id = f"00000000-0000-4000-8000-{number:012}"
    return replace(START, child_id=child_id, conversation_id=conversation_id)


async def holders(side: CommandSide) -> list[str]:
    """Who has the bear's device reserved."""
    found = await side.database.claims.find(side.index.device_key(BEAR.subject.upper()))
    return [] if found is None or found.released else [found.child_id]


async def test_a_child_that_is_erased_while_it_is_settled_has_no_reservation():
    # given
    side = await registered_before(CommandSide(), of(ADA, MIXED))
    take = side.database.claims.take

    async def erased_meanwhile(claim: Claim) -> Claim | None:
        side.database.claims.take = take
        await side.do(ERASE)
        held: Claim | None = await take(claim)
        return held

    side.database.claims.take = erased_meanwhile
    # when
    await settler(side).settle()
    # then
    assert await side.database.claims.held_by([ADA]) == set()
