"""References to what does not exist, asked for and stored: nobody is dead-lettered over them, and
the alerts of the same child still arrive."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import httpx2

from shared.auth.access import Role
from shared.clock import new_id, utc_now
from shared.events.child import (
    AlertChannel,
    AlertPolicyConfigured,
    ChildErased,
    ChildEvent,
    ChildRegistered,
)
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild
from tests.faults.world import World
from tests.support.callers import token
from tests.support.commits import offer_of
from tests.support.event_samples import EVENTS
from tests.support.waiting import eventually

LINKED = {"type": "rude_words", "severity": "critical"}
MESSAGE = {"role": "child", "word_count": 3}
ROUNDS = 3


class WronglyAnswered(Exception):
    """A reference to what does not exist got another answer than it should have."""


async def _asked_for(world: World) -> int:
    """A report counts without the conversation that it names; everything else is not found."""
    child, other = await OwnChild.registered(world), await OwnChild.registered(world)
    unknown, foreign = new_id(), await _conversation_of(other)
    for conversation_id in (unknown, foreign):
        report = {**LINKED, "conversation_id": conversation_id}
        answer = await child.sends("POST", "/safety-violations", report)
        await child.is_notified(answer["violation_id"])
    foreign_violation = await other.raises_an_alert()
    refused = [
        await _is_not_found(child, f"/conversations/{one}/{what}", body, child.bear)
        for one in (unknown, foreign)
        for what, body in (("messages", MESSAGE), ("end", None))
    ]
    officer = token(world.state, Role.SAFETY_OFFICER, "faults-officer")
    refused += [
        await _is_not_found(
            child, f"/safety-violations/{one}/resolution", {"outcome": "confirmed"}, officer
        )
        for one in (unknown, foreign_violation)
    ]
    stranger = token(world.state, Role.PARENT, other.parent)
    refused.append(await _is_not_found(child, "/safety-violations", LINKED, stranger))
    await child.is_notified(await child.raises_an_alert())
    return len(refused) + 2


async def _stored(world: World) -> int:
    """Every event there is, in no order that makes sense: about conversations and violations that
    never were, registrations that repeat."""
    child = await OwnChild.registered(world)
    happened = [one for one in EVENTS if not isinstance(one, ChildErased)]
    for _ in range(ROUNDS):
        world.chance.shuffle(happened)
        await _append(child, happened)
    await child.is_projected()
    # officers and parents see a report, whatever was stored
    await eventually(
        lambda: child.reads("/safety-report"), 30.0, lambda report: report.status_code == 200
    )
    for _ in range(2):
        await child.is_notified(await child.raises_an_alert())
    return ROUNDS * len(happened)


async def _append(child: OwnChild, happened: Sequence[ChildEvent]) -> None:
    on = child.world.on
    cipher = await on.keyring.create(child.child_id)
    position = (await on.store.load(child.child_id))[-1].position
    events = [_of(child, one) for one in happened]
    offer = offer_of(events, position, cipher, parent=child.parent, correlation_id=new_id())
    child.version = (await on.store.append(offer)).last_version


def _of(child: OwnChild, event: ChildEvent) -> ChildEvent:
    """The parent stays, as who registers a child anew takes it over; and so do the channels that
    the stack has."""
    mine = replace(event, child_id=child.child_id, at=utc_now())
    match mine:
        case ChildRegistered():
            return replace(mine, parent_id=child.parent)
        case AlertPolicyConfigured():
            return replace(mine, policy=replace(mine.policy, channels=(AlertChannel.IN_APP,)))
        case _:
            return mine


async def _conversation_of(child: OwnChild) -> str:
    answer = await child.sends("POST", "/conversations", {"topic": "space"}, child.bear)
    conversation_id: str = answer["conversation_id"]
    return conversation_id


async def _is_not_found(
    child: OwnChild, rest: str, body: Mapping[str, object] | None, bearer: str
) -> str:
    async with child.world.as_parent(child.parent) as http:
        path, headers = (
            f"/v1/children/{child.child_id}{rest}",
            {"Authorization": f"Bearer {bearer}"},
        )
        answer = await http.post(path, json=body, headers=headers)
    if answer.status_code != httpx2.codes.NOT_FOUND:
        raise WronglyAnswered(f"{rest}: {answer.status_code} {answer.text} instead of 404")
    return answer.text


CASES = (
    Case(
        "references-asked-for",
        "commands name conversations and violations that do not exist, or are another child's",
        _asked_for,
    ),
    Case(
        "references-stored",
        "the event store has every event type of a child in random order, about unknown ids",
        _stored,
    ),
)
