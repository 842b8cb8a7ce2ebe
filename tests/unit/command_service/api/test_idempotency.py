"""The Idempotency-Key header; and requests about a child that is erased, under their keys."""

import asyncio
from typing import Any

import pytest

from tests.support.command_side import (
    MOTHER,
    STRANGER,
    CommandClient,
    CommandSide,
    Database,
    StoppedClock,
)
from tests.support.consents import BORN, CONSENTS, REGISTRATION
from tests.support.problem_documents import assert_problem

GOOD: dict[str, Any] = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "consents": CONSENTS}
KEY = "a-key-of-ours"


@pytest.mark.parametrize("seed", range(3))
async def test_fifty_at_once_are_one_child(seed: int):
    # given
    side = CommandSide(Database().interleaved(seed), StoppedClock(tick_ms=1))
    async with side.client() as mother:
        # when
        responses = await asyncio.gather(
            *(mother.send("POST", "/children", GOOD, key=KEY) for _ in range(50))
        )
    # then
    assert {response.status_code for response in responses} == {201}
    assert len({response.text for response in responses}) == 1
    assert len({response.headers["Location"] for response in responses}) == 1
    assert sum("Idempotency-Replayed" not in response.headers for response in responses) == 1
    assert await side.stored_events() == [*REGISTRATION]


async def test_a_repetition_answers_the_first_result(
    side: CommandSide, mother: CommandClient, child: str
):
    path = f"{child}/safety-violations"
    report = {"type": "bullying", "severity": "low"}
    first = await mother.send("POST", path, report, key=KEY)
    await mother.send("PATCH", f"{child}/profile", {"age": 8})
    # when: the same JSON, written differently
    raw = b'{ "severity": "low", "type": "bullying" }'
    again = await mother.send("POST", path, raw=raw, key=KEY)
    # then
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Consistency-Token"] == first.headers["Consistency-Token"]
    assert len(await side.stored_events()) == BORN + 2


async def test_a_repeated_deactivation_is_no_refusal(mother: CommandClient, child: str):
    path, body = f"{child}/deactivation", {"reason": "moved on"}
    await mother.send("POST", path, body, key=KEY)
    again = await mother.send("POST", path, body, key=KEY)
    assert again.status_code == 200
    assert again.headers["Idempotency-Replayed"] == "true"
    assert_problem(await mother.send("POST", path, body), 409, "already-deactivated")


async def test_a_late_repetition_of_what_changed_nothing_undoes_nothing(
    side: CommandSide, mother: CommandClient, child: str
):
    path = f"{child}/profile"
    first = await mother.send("PATCH", path, {"age": 7}, key=KEY)
    await mother.send("PATCH", path, {"age": 8})
    # when
    again = await mother.send("PATCH", path, {"age": 7}, key=KEY)
    other = await mother.send("PATCH", path, {"age": 9}, key=KEY)
    # then
    assert (first.json()["events"], "Idempotency-Replayed" in first.headers) == ([], False)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Consistency-Token"] == first.headers["Consistency-Token"]
    assert_problem(other, 422, "idempotency-key-reused", "Idempotency-Key")
    assert len(await side.stored_events()) == BORN + 1


async def test_the_same_key_for_another_request_is_refused(
    side: CommandSide, mother: CommandClient
):
    await mother.send("POST", "/children", GOOD, key=KEY)
    for changes in ({"age": 8}, {"udid": "TEDDY-0000-0043"}):
        response = await mother.send("POST", "/children", {**GOOD, **changes}, key=KEY)
        assert_problem(response, 422, "idempotency-key-reused", "Idempotency-Key")
    assert await side.stored_events() == [*REGISTRATION]
    await mother.register("TEDDY-0000-0043")


async def test_a_key_belongs_to_its_caller(side: CommandSide):
    async with side.client(MOTHER) as mother, side.client(STRANGER) as stranger:
        first = await mother.send("POST", "/children", GOOD, key=KEY)
        other = {**GOOD, "udid": "TEDDY-0000-0043"}
        second = await stranger.send("POST", "/children", other, key=KEY)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["child_id"] != second.json()["child_id"]


@pytest.mark.parametrize("key", ["short", "x" * 129, "with space", "tab\tbed-key", ""])
async def test_a_malformed_key_is_refused(side: CommandSide, mother: CommandClient, key: str):
    response = await mother.send("POST", "/children", GOOD, key=key)
    assert_problem(response, 422, "invalid-request", "Idempotency-Key", "8..128")
    assert await side.stored_events() == []


async def test_a_refused_request_may_be_corrected_under_its_key(mother: CommandClient):
    refused = await mother.send("POST", "/children", {**GOOD, "age": 2}, key=KEY)
    assert refused.status_code == 422
    accepted = await mother.send("POST", "/children", GOOD, key=KEY)
    assert accepted.status_code == 201


@pytest.mark.parametrize("moved_on", [{"udid": GOOD["udid"]}, {"device_id": "bear-42"}, {}])
async def test_after_the_erasure_a_registration_is_refused_wherever_the_bear_is(
    side: CommandSide, mother: CommandClient, moved_on: dict[str, Any]
):
    # given
    body = {**GOOD, "device_id": "bear-42"}
    child_id = (await mother.send("POST", "/children", body, key=KEY)).json()["child_id"]
    await mother.send("DELETE", f"/children/{child_id}/personal-data")
    other = {**GOOD, "udid": "TEDDY-0000-0043", "name": "Bob", **moved_on}
    assert (await mother.send("POST", "/children", other)).status_code == 201
    # when
    for process in (side, CommandSide(side.database)):
        async with process.client(MOTHER) as caller:
            same = await caller.send("POST", "/children", body, key=KEY)
            another = await caller.send("POST", "/children", {**body, "name": "Eve"}, key=KEY)
        # then: nobody can tell which of them it was
        assert_problem(same, 410, "child-erased")
        assert_problem(another, 410, "child-erased")
        assert await side.database.claims.held_by([child_id]) == set()
    assert await side.database.keys.find([child_id]) == []


async def test_a_repeated_erasure_stays_one(side: CommandSide, mother: CommandClient, child: str):
    path = f"{child}/personal-data"
    first = await mother.send("DELETE", path, key=KEY)
    # when
    again = await mother.send("DELETE", path, key=KEY)
    later = await mother.send("DELETE", path, key="a-key-for-later")
    later_again = await mother.send("DELETE", path, key="a-key-for-later")
    # then
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert later_again.json() == later.json() | {"events": []}
    assert later_again.headers["Idempotency-Replayed"] == "true"
    assert len(await side.stored_events()) == BORN + 1


async def test_an_erasure_under_the_key_of_another_request_is_refused(
    side: CommandSide, mother: CommandClient, child: str
):
    await mother.send("PATCH", f"{child}/profile", {"age": 8}, key=KEY)
    refused = await mother.send("DELETE", f"{child}/personal-data", key=KEY)
    assert_problem(refused, 422, "idempotency-key-reused", "Idempotency-Key")
    assert "ChildErased" not in await side.stored_events()
