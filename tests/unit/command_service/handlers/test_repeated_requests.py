"""Under one idempotency key a request is done once, however often it is sent."""

import asyncio
from dataclasses import replace

import pytest

from command_service.bus.command_bus import Command, CommandContext, CommandResult
from command_service.bus.errors import IdempotencyKeyReused
from command_service.child.errors import ChildErasedError, UdidTaken
from shared.clock import new_id
from tests.support.child_facts import (
    ADA,
    DEACTIVATE,
    ERASE,
    MESSAGE,
    REACTIVATE,
    REGISTER,
    REPORT,
    RESOLVE,
    START,
    VIOLATION,
    update,
)
from tests.support.command_side import ADMIN, CommandSide, Database, StoppedClock, sent
from tests.support.consents import BORN, REGISTRATION

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
async def test_fifty_at_once_are_one_registration(seed: int):
    # given
    side = CommandSide(Database().interleaved(seed), StoppedClock(tick_ms=1))
    # when
    results = await asyncio.gather(*(side.do(REGISTER, key="key-1") for _ in range(50)))
    # then
    assert {(each.child_id, each.version, each.events) for each in results} == {
        (ADA, BORN, REGISTRATION)
    }
    assert sum(not each.replayed for each in results) == 1
    assert await side.stored_events() == [*REGISTRATION]


@pytest.mark.parametrize("seed", SEEDS)
async def test_fifty_at_once_through_two_processes_are_one_message(seed: int):
    # given
    database = Database().interleaved(seed)
    sides = [CommandSide(database), CommandSide(database)]
    await sides[0].do(REGISTER)
    await sides[0].do(START)
    # when
    results = await asyncio.gather(
        *(side.do(MESSAGE, key="key-1") for side in sides for _ in range(25))
    )
    # then
    assert {each.version for each in results} == {BORN + 2}
    assert sum(not each.replayed for each in results) == 1


@pytest.mark.parametrize(
    ("past", "command"),
    [
        ([], REGISTER),
        ([REGISTER], update(age=8)),
        ([REGISTER], START),
        ([REGISTER], REPORT),
        ([REGISTER, REPORT], RESOLVE),
        ([REGISTER], DEACTIVATE),
        ([REGISTER, DEACTIVATE], REACTIVATE),
        ([REGISTER], ERASE),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_could_not_be_done_twice_answers_its_first_result(
    past: list[Command], command: Command
):
    # given
    side = await CommandSide().given(*past)
    before = len(await side.stored_events())
    first = await side.do(command, key="key-1")
    # when
    again = await side.do(command, key="key-1")
    elsewhere = await CommandSide(side.database).do(command, key="key-1")
    # then
    assert again == elsewhere == replace(first, replayed=True)
    assert len(await side.stored_events()) == before + len(first.events)


async def test_ids_made_by_the_first_request_are_answered_again():
    side = await CommandSide().given(REGISTER)
    await side.do(REPORT, key="key-1")
    # when: the repetition made up another id
    again = await side.do(replace(REPORT, violation_id=ADA), key="key-1")
    assert again.violation_id == VIOLATION


async def test_a_registration_repeated_after_deactivation_is_answered_and_does_not_take_the_bear():
    side = CommandSide()
    await side.do(REGISTER, key="key-1")
    await side.do(DEACTIVATE)
    assert (await side.do(REGISTER, key="key-1")).replayed
    other = replace(REGISTER, child_id="11111111-1111-4111-8111-111111111111")
    assert (await side.do(other)).version == BORN
    again = await side.do(REGISTER, key="key-1")
    assert replace(again, hash="") == CommandResult(ADA, BORN, REGISTRATION, replayed=True)


async def test_a_repetition_is_refused_also_where_the_key_of_the_erased_is_still_in_memory():
    # given: elsewhere nobody knows of the change, nor of the erasure
    database = Database()
    side, elsewhere = CommandSide(database), CommandSide(database)
    await elsewhere.do(REGISTER)
    await side.do(update(age=8), key="key-1")
    await side.do(ERASE)
    assert await elsewhere.keyring.cipher(ADA) is not None
    # when, then
    with pytest.raises(ChildErasedError):
        await elsewhere.do(update(age=8), key="key-1")


async def send(side: CommandSide, command: Command, key: str, request: str) -> CommandResult:
    context = CommandContext(ADMIN, "correlation-1", new_id(), request=sent(key, request))
    return await side.bus.dispatch(command, context)


async def test_another_request_under_the_same_key_is_refused():
    side = await CommandSide().given(REGISTER)
    await send(side, update(age=8), "key-1", "eight")
    with pytest.raises(IdempotencyKeyReused):
        await send(side, update(age=9), "key-1", "nine")
    assert len(await side.stored_events()) == BORN + 1


async def test_a_refused_registration_under_a_used_key_leaves_the_bear_free():
    # given
    side = CommandSide()
    await send(side, REGISTER, "key-1", "first")
    other = "11111111-1111-4111-8111-111111111111"
    second_bear = replace(REGISTER, child_id=other, udid="TEDDY-0000-0002", device_id="bear-2")
    # when
    with pytest.raises(IdempotencyKeyReused):
        await send(side, second_bear, "key-1", "second")
    # then
    assert (await side.do(replace(second_bear, child_id=VIOLATION))).version == BORN


async def test_a_refusal_is_not_remembered():
    side = await CommandSide().given(replace(REGISTER, child_id=VIOLATION))
    with pytest.raises(UdidTaken):
        await side.do(REGISTER, key="key-1")
    await side.do(replace(DEACTIVATE, child_id=VIOLATION))
    result = await side.do(REGISTER, key="key-1")
    assert not result.replayed
