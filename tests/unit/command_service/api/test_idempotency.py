"""The Idempotency-Key header."""

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
KEY = "register-ada-1"


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
