"""What a refusal says for people: what is wrong, once, whichever API refused and why."""

from typing import Any

import httpx2
import pytest

from shared.client import TeddyProblem
from tests.support import query_side
from tests.support.command_side import CommandSide
from tests.support.consents import CONSENTS
from tests.support.query_side import QuerySide

GOOD: dict[str, Any] = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0042", "consents": CONSENTS}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"age": 2}, "422 invalid-request: Age must be between 3 and 12."),
        (
            {"age": 2, "name": "A"},
            "422 invalid-request: Name must have 2 to 100 characters; age must be between 3 and "
            "12.",
        ),
        (
            {"age": "7", "nick": "A"},
            "422 invalid-request: Fields are missing, unknown or of the wrong type; see `errors`. "
            "age must be an integer; nick unknown field",
        ),
        (
            {"consents": []},
            "409 consent-required: This needs the parent's consent to the purpose account. Send it "
            "in the `consents` of this registration.",
        ),
    ],
    ids=str,
)
async def test_a_refused_command(changes: dict[str, Any], said: str):
    async with CommandSide().client() as mother:
        answer = await mother.send("POST", "/children", {**GOOD, **changes})

    assert _reported(answer) == said


async def test_a_bear_that_is_taken():
    async with CommandSide().client() as mother:
        await mother.send("POST", "/children", GOOD)
        answer = await mother.send("POST", "/children", GOOD)

    assert _reported(answer) == (
        "409 udid-taken: The bear with this udid belongs to another active child."
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/children?age_min=9&age_max=8", "422 invalid-request: age_max: must not be below"),
        ("/v1/children?cursor=forged", "422 invalid-request: cursor: not a cursor of this list"),
        ("/v1/children?limit=0", "limit must be between 1 and 100"),
        (
            "/v1/children/lena",
            "404 child-not-found: This child does not exist or is not accessible to the caller.",
        ),
    ],
)
async def test_a_refused_query(path: str, said: str):
    async with QuerySide().client(query_side.ADMIN) as client:
        answer = await client.get(path)

    assert said in _reported(answer)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": "bad gateway"}, "502 unknown: bad gateway"),
        ({"code": "overloaded"}, "502 overloaded"),
        ({"detail": "See.", "errors": [{"field": "a", "message": "required"}]}, "See. a required"),
        ({"detail": "A required.", "errors": [{"field": "a", "message": "required"}]}, "A requi"),
    ],
    ids=str,
)
def test_an_answer_of_somebody_else(body: dict[str, Any], said: str):
    assert said in str(TeddyProblem(502, body))


def _reported(answer: httpx2.Response) -> str:
    """The words, of which each field's stands there once."""
    problem = TeddyProblem(answer.status_code, answer.json())
    reported = str(problem)
    for error in problem.errors:
        assert reported.lower().count(error["message"].lower()) == 1, reported
    return reported
