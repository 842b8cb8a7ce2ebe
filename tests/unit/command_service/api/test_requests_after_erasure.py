"""Requests about a child that is erased, and requests to erase it, under their keys."""

from typing import Any

import pytest

from tests.support.command_side import MOTHER, CommandClient, CommandSide
from tests.support.consents import BORN, CONSENTS
from tests.support.problem_documents import assert_problem

KEY = "a-key-of-ours"
GOOD: dict[str, Any] = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "consents": CONSENTS}


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
