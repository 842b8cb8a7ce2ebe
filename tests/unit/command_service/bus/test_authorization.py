"""Who may send which command, and about whose child."""

from dataclasses import replace

import pytest

from command_service.bus.command_bus import Command
from command_service.bus.errors import Forbidden, ParentNotFound
from command_service.bus.pipeline import may_act_on
from command_service.child.errors import ChildNotFound
from command_service.child.state import Child
from shared.auth.access import Principal, Relation
from shared.events.child import ConsentPurpose
from tests.support.child_facts import (
    ACKNOWLEDGE,
    CONFIGURE,
    DEACTIVATE,
    END,
    ERASE,
    MESSAGE,
    REACTIVATE,
    REGISTER,
    REPORT,
    RESOLVE,
    START,
    give,
    update,
    withdraw,
)
from tests.support.command_side import (
    ANALYST,
    BEAR,
    MOTHER,
    OFFICER,
    STRANGER,
    CommandSide,
    Database,
)
from tests.support.consents import BORN, REGISTRATION

COMMANDS: list[Command] = [
    REGISTER, update(age=8), REPORT, RESOLVE, ACKNOWLEDGE, CONFIGURE, START, MESSAGE, END,
    DEACTIVATE, REACTIVATE, give(ConsentPurpose.ACCOUNT), withdraw(ConsentPurpose.ACCOUNT), ERASE,
]  # fmt: skip

BOBS = "5f3f8f0e-3a36-4d0c-8a57-1d2b8d0c6a22"
NOBODY = "aa3f8f0e-3a36-4d0c-8a57-1d2b8d0c6a99"

PARENTS_MAY = {
    "RegisterChild", "UpdateChildProfile", "ConfigureAlerts", "DeactivateChild",
    "ReactivateChild", "EraseChild", "ReportSafetyViolation",
    "GiveConsent", "WithdrawConsent", "AcknowledgeSafetyViolation",
}  # fmt: skip
BEARS_MAY = {"StartConversation", "RecordMessage", "EndConversation", "ReportSafetyViolation"}
OFFICERS_MAY = {"ReportSafetyViolation", "ResolveSafetyViolation"}


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [(MOTHER, PARENTS_MAY), (BEAR, BEARS_MAY), (OFFICER, OFFICERS_MAY), (ANALYST, set[str]())],
    ids=["parent", "device", "safety_officer", "analyst"],
)
async def test_each_role_sends_its_own_commands_only(principal: Principal, allowed: set[str]):
    for command in COMMANDS:
        if type(command).__name__ not in allowed:
            with pytest.raises(Forbidden):
                await CommandSide().do(command, principal)


async def test_a_parent_registers_own_children_only():
    side = CommandSide()
    with pytest.raises(ParentNotFound):
        await side.do(REGISTER, STRANGER)
    await side.do(REGISTER, MOTHER)
    assert await side.stored_events() == [*REGISTRATION]


async def test_a_bear_speaks_for_its_own_child_only():
    side = await CommandSide().given(REGISTER)
    other_bear = BEAR._replace(subject="bear-device-2")
    with pytest.raises(ChildNotFound):
        await side.do(START, other_bear)
    await side.do(START, BEAR)
    assert await side.stored_events() == [*REGISTRATION, "ConversationStarted"]
    side = await CommandSide().given(replace(REGISTER, device_id=None))
    with pytest.raises(ChildNotFound):
        await side.do(START, BEAR)


async def test_a_bear_of_a_deactivated_child_is_nobody_s():
    # given
    side = await CommandSide().given(REGISTER)
    await side.do(START, BEAR)
    await side.do(DEACTIVATE)
    # when, then
    for command in (REPORT, MESSAGE, END, START):
        with pytest.raises(ChildNotFound):
            await side.do(command, BEAR)
    await side.do(REPORT, MOTHER)
    # when the child returns
    await side.do(REACTIVATE)
    # then
    assert (await side.do(MESSAGE, BEAR)).events == ("MessageRecorded",)


async def test_a_bear_that_was_exchanged_does_nothing_more():
    # given two processes, of which one remembers the bear of before
    database = Database()
    here, there = CommandSide(database), CommandSide(database)
    await here.do(REGISTER)
    await there.do(update(device_id="bear-device-2"))
    # when, then
    with pytest.raises(ChildNotFound):
        await here.do(START, BEAR)
    assert (await here.do(START, BEAR._replace(subject="bear-device-2"))).version == BORN + 2


@pytest.mark.parametrize("relation", [Relation.NUMBERS, Relation.NONE])
def test_who_is_let_through_by_mistake_still_acts_on_no_child(relation: Relation):
    child = Child(parent_id=ANALYST.subject)
    assert not may_act_on(child, ANALYST.subject, relation)


async def test_a_key_that_was_used_before_tells_nothing_of_a_child_of_others():
    # given a stranger with a child of their own, registered under a key
    side = await CommandSide().given(REGISTER)
    bobs = replace(REGISTER, udid="TEDDY-0000-0002", device_id="bear-device-2")
    own = replace(bobs, child_id=BOBS, parent_id=STRANGER.subject)
    await side.do(own, STRANGER, key="key-of-bob")
    # when the key comes with a child of others, and with one that never was
    for child_id in (REGISTER.child_id, NOBODY):
        with pytest.raises(ChildNotFound):
            await side.do(replace(ERASE, child_id=child_id), STRANGER, key="key-of-bob")
