"""How fast a command process answered lately, as administrators ask for it."""

import pytest

from shared.auth.access import Principal
from tests.support.command_side import ADMIN, ANALYST, BEAR, MOTHER, OFFICER, CommandSide
from tests.support.problem_documents import assert_problem

PATH = "/system/requests"


async def test_an_admin_reads_what_the_process_answered_and_refused(side: CommandSide):
    # given
    async with side.client(MOTHER) as mother:
        await mother.register()
        await mother.send("POST", "/children", {"name": "Ada"})
    # when
    async with side.client(ADMIN) as admin:
        answer = await admin.send("GET", PATH)
    # then
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["requests"], found["refused_by_code"]) == (2, {"invalid-request": 1})
    assert found["p99_milliseconds"] >= found["p50_milliseconds"] > 0
    assert [one["operation"] for one in found["slowest"]] == ["RegisterChild"]
    (refused,) = found["refusals"]
    assert (refused["operation"], refused["status"]) == ("RegisterChild", 422)
    assert (refused["code"], refused["role"]) == ("invalid-request", "parent")


@pytest.mark.parametrize("principal", [MOTHER, BEAR, OFFICER, ANALYST], ids=str)
async def test_it_is_for_administrators(side: CommandSide, principal: Principal):
    async with side.client(principal) as client:
        assert_problem(await client.send("GET", PATH), 403, "forbidden")
