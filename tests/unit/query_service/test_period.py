"""`from` and `to` of a safety report: instants, or UTC days as people mean them."""

from datetime import UTC, datetime

import pytest

from tests.support.query_side import ADMIN, QuerySide
from tests.support.read_model_builders import violation

AT = {
    "last moment of October": datetime(2026, 10, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    "first moment of November": datetime(2026, 11, 1, tzinfo=UTC),
    "last moment of that day": datetime(2026, 11, 1, 23, 59, 59, 999_000, tzinfo=UTC),
    "first moment of the next": datetime(2026, 11, 2, tzinfo=UTC),
}
OCTOBER, FIRST, LAST, NEXT = AT


@pytest.mark.parametrize(
    ("period", "found"),
    [
        ("from=2026-11-01", {FIRST, LAST, NEXT}),
        ("to=2026-11-01", {OCTOBER, FIRST, LAST}),
        ("from=2026-11-01&to=2026-11-01", {FIRST, LAST}),
        ("from=2026-10-31&to=2026-11-02", set(AT)),
        ("from=2026-11-01&to=2026-11-01T00:00:00.001Z", {FIRST}),
        ("from=2026-11-02T00:00:00%2B00:30&to=2026-11-02t00:00:00z", {LAST}),
    ],
)
async def test_a_day_counts_from_its_beginning_to_its_end(period: str, found: set[str]) -> None:
    # given
    side = QuerySide()
    await side.child("lena")
    side.report("lena", *(violation(name, at=at) for name, at in AT.items()))
    # when
    async with side.client(ADMIN) as client:
        answer = await client.get(f"/v1/children/lena/safety-report?{period}")
    # then
    assert answer.status_code == 200, answer.text
    assert {each["violation_id"] for each in answer.json()["violations"]} == found


async def test_the_answer_says_what_a_day_stood_for() -> None:
    side = QuerySide()
    await side.child("lena")
    async with side.client(ADMIN) as client:
        answer = await client.get("/v1/children/lena/safety-report?from=2026-11-01&to=2026-11-30")

    told = answer.json()
    assert (told["from"], told["to"]) == ("2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z")


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-30",
        "2026-13-01",
        "20261123",
        "2026-W48-1",
        "1763900000",
        "yesterday",
        "2026-11-23T12:00:00",
        "2026-11-23 12:00:00Z",
        "2026-11-23T12:00:00+01:00",  # in a URL the + is a space
        "2026-11-23T25:00:00Z",
        "٢٠٢٦-11-23",
        "",
    ],
)
@pytest.mark.parametrize("name", ["from", "to"])
async def test_what_is_no_moment_gets_which_forms_there_are(name: str, moment: str) -> None:
    side = QuerySide()
    async with side.client(ADMIN) as client:
        answer = await client.get(f"/v1/children/lena/safety-report?{name}={moment}")

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, name)
    assert error["message"].startswith("must be a time with a zone, as 2026-11-23T12:00:00Z")
    assert error["limit"] == "an RFC 3339 time with a zone, or a UTC day"


@pytest.mark.parametrize(
    "moment", ["1999-12-31", "2200-01-02", "0001-01-01T00:00:00%2B14:00", "9999-12-31"]
)
async def test_a_moment_out_of_reach_gets_the_bounds(moment: str) -> None:
    side = QuerySide()
    async with side.client(ADMIN) as client:
        answer = await client.get(f"/v1/children/lena/safety-report?to={moment}")

    (error,) = answer.json()["errors"]
    assert error["message"] == "must lie between 2000-01-01 and 2200-01-01"
