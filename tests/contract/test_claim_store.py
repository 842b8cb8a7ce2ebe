import asyncio
from dataclasses import replace
from datetime import timedelta

from shared.event_store.port import Claim
from tests.contract.conftest import Stores
from tests.support.commits import NOON
from tests.support.waiting import eventually


def _a_claim(child_id: str, version: int = 0) -> Claim:
    return Claim("udid-1", child_id, version, NOON)


async def test_the_first_to_claim_a_bear_has_it(stores: Stores) -> None:
    # given
    claim = _a_claim("child-1")
    # when / then
    assert await stores.claims.take(claim) is None
    assert await stores.claims.take(_a_claim("child-2")) == claim


async def test_the_same_claim_made_again_is_still_ours(stores: Stores) -> None:
    # given
    claim = _a_claim("child-1")
    await stores.claims.take(claim)
    # when / then
    assert await stores.claims.take(claim) is None


async def test_of_fifty_children_that_claim_one_bear_one_gets_it(stores: Stores) -> None:
    # given
    claims = [_a_claim(f"child-{number}") for number in range(50)]
    # when
    answers = await asyncio.gather(*(stores.claims.take(claim) for claim in claims))
    # then
    (winner,) = [claim for claim, answer in zip(claims, answers, strict=True) if answer is None]
    assert {answer for answer in answers if answer is not None} == {winner}


async def test_of_fifty_that_take_over_one_claim_one_succeeds(stores: Stores) -> None:
    # given
    held = _a_claim("child-1")
    await stores.claims.take(held)
    later = [
        replace(held, child_id=f"child-{n}", claimed_at=NOON + timedelta(minutes=2))
        for n in range(2, 52)
    ]
    # when
    taken = await asyncio.gather(*(stores.claims.take_over(held, claim) for claim in later))
    # then
    assert taken.count(True) == 1
    assert await stores.claims.take(_a_claim("child-99")) == later[taken.index(True)]


async def test_a_claim_that_changed_since_it_was_seen_is_not_taken_over(stores: Stores) -> None:
    # given a claim that was refreshed after we saw it
    seen = _a_claim("child-1")
    await stores.claims.take(seen)
    refreshed = replace(seen, claimed_at=NOON + timedelta(seconds=30))
    assert await stores.claims.take_over(seen, refreshed)
    # when / then
    assert not await stores.claims.take_over(seen, _a_claim("child-2"))
    assert await stores.claims.take(_a_claim("child-3")) == refreshed


async def test_a_contest_begins_with_the_first_who_asks(stores: Stores) -> None:
    # given
    held = _a_claim("child-1")
    await stores.claims.take(held)
    # when
    first = await stores.claims.contested_for(held)
    # then
    assert first == timedelta()
    contested_for = await eventually(lambda: stores.claims.contested_for(held))
    assert contested_for < timedelta(minutes=1)
    assert await stores.claims.take(_a_claim("child-2")) == replace(held, contested=True)


async def test_a_contest_ends_when_the_claim_is_renewed(stores: Stores) -> None:
    # given
    held = _a_claim("child-1")
    await stores.claims.take(held)
    await stores.claims.contested_for(held)
    renewed = replace(held, claimed_at=NOON + timedelta(seconds=30))
    # when
    assert await stores.claims.take_over(held, renewed)
    # then
    assert await stores.claims.contested_for(held) == timedelta()
    assert await stores.claims.take(_a_claim("child-2")) == renewed


async def test_a_claim_that_does_not_exist_is_not_taken_over(stores: Stores) -> None:
    # when / then
    assert not await stores.claims.take_over(_a_claim("child-1"), _a_claim("child-2"))
    assert await stores.claims.take(_a_claim("child-3")) is None


async def test_a_released_claim_says_so(stores: Stores) -> None:
    # given
    claim = _a_claim("child-1")
    await stores.claims.take(claim)
    # when
    await stores.claims.release("udid-1", "child-1", before_version=4)
    # then
    assert await stores.claims.take(_a_claim("child-2")) == replace(claim, released=True)


async def test_a_late_release_leaves_a_newer_claim_alone(stores: Stores) -> None:
    # given the child was deactivated at version 4 and claimed its bear again at version 4
    claim = _a_claim("child-1", version=4)
    await stores.claims.take(claim)
    # when the release of that deactivation arrives late
    await stores.claims.release("udid-1", "child-1", before_version=4)
    # then
    assert await stores.claims.take(_a_claim("child-2")) == claim


async def test_only_the_holder_releases_a_claim(stores: Stores) -> None:
    # given
    claim = _a_claim("child-1")
    await stores.claims.take(claim)
    # when
    await stores.claims.release("udid-1", "child-2", before_version=9)
    await stores.claims.release("udid-2", "child-1", before_version=9)
    # then
    assert await stores.claims.take(_a_claim("child-3")) == claim


async def test_a_claim_is_found_as_it_stands(stores: Stores) -> None:
    # given
    claim = _a_claim("child-1")
    assert await stores.claims.find(claim.key) is None
    await stores.claims.take(claim)
    # when / then
    assert await stores.claims.find(claim.key) == claim
    await stores.claims.contested_for(claim)
    assert await stores.claims.find(claim.key) == replace(claim, contested=True)


async def test_older_claims_are_listed_until_they_are_settled_or_released(stores: Stores) -> None:
    # given four of before, one of them released, and one of today
    older = [replace(_a_claim(f"child-{n}"), key=f"udid-{n}") for n in range(4)]
    for claim in (*older[:3], replace(older[3], released=True)):
        await stores.put_older_claim(claim)
    await stores.claims.take(replace(_a_claim("child-9"), key="udid-9"))
    # when / then
    assert await stores.claims.older("", 2) == older[:2]
    assert await stores.claims.older("udid-1", 2) == older[2:3]
    # when
    await stores.claims.settle("udid-0")
    await stores.claims.release("udid-1", "child-1", before_version=1)
    # then
    assert await stores.claims.older("", 9) == older[2:3]
    assert await stores.claims.find("udid-0") == older[0]


async def test_an_older_claim_that_is_taken_over_is_one_of_today(stores: Stores) -> None:
    # given
    older = _a_claim("child-1")
    await stores.put_older_claim(older)
    seen = await stores.claims.take(_a_claim("child-2"))
    # when
    assert seen == older
    assert await stores.claims.take_over(seen, _a_claim("child-2"))
    # then
    assert await stores.claims.older("", 9) == []


async def test_a_claim_names_the_command_that_took_it(stores: Stores) -> None:
    # given
    claim = replace(_a_claim("child-1"), by="command-1")
    await stores.claims.take(claim)
    # when / then: the same but for the command is another one
    assert await stores.claims.take(replace(claim, by="command-2")) == claim
    assert not await stores.claims.take_over(_a_claim("child-1"), _a_claim("child-2"))
    assert await stores.claims.take_over(claim, replace(claim, by=""))
    assert await stores.claims.find(claim.key) == _a_claim("child-1")
    assert await stores.claims.take(_a_claim("child-1")) is None


def _both(child_id: str, udid: str = "udid-1", device: str = "device-1") -> tuple[Claim, Claim]:
    return Claim(udid, child_id, 0, NOON), Claim(device, child_id, 0, NOON)


async def test_several_are_taken_in_their_order_up_to_the_first_that_is_somebody_else_s(
    stores: Stores,
) -> None:
    # given
    udid, device = _both("child-1")
    assert await stores.claims.take(udid, device) is None
    # when / then: what was taken is still ours, what is behind the conflict was not taken
    assert await stores.claims.take(udid, device) is None
    assert await stores.claims.take(*_both("child-2", device="device-2")) == udid
    assert await stores.claims.find("device-2") is None
    assert await stores.claims.take(*_both("child-3", udid="udid-3")) == device
    assert await stores.claims.find("udid-3") == _both("child-3", udid="udid-3")[0]


async def test_of_fifty_that_want_both_at_once_one_gets_both(stores: Stores) -> None:
    # given, between them, fifty who meet nobody
    wanted = [_both(f"child-{n}") for n in range(50)]
    others = [_both(f"other-{n}", f"udid-of-{n}", f"device-of-{n}") for n in range(50)]
    # when
    answers = await asyncio.gather(
        *(
            stores.claims.take(*claims)
            for pair in zip(wanted, others, strict=True)
            for claims in pair
        )
    )
    # then
    assert answers[1::2] == [None] * 50
    (winner,) = [claims for claims, answer in zip(wanted, answers[::2], strict=True) if not answer]
    assert {await stores.claims.find(claim.key) for claim in winner} == set(winner)
    assert set(filter(None, answers)) == {winner[0]}
