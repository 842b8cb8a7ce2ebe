"""Both APIs count what a subject sends, by class, and say so."""

import pytest

from shared.auth.access import Principal, Role
from tests.support.command_side import ADMIN, BEAR, MOTHER, STRANGER, CommandSide
from tests.support.consents import REGISTRATION
from tests.support.query_side import OFFICER, QuerySide, parent
from tests.support.rate_limits import Moments, limits_of


async def test_a_command_too_many_is_refused_until_the_window_ends():
    # given
    moments = Moments()
    side = CommandSide(limits=limits_of(moments, commands="2/minute"))
    moments.now = 20.5
    async with side.client(MOTHER) as mother:
        path = f"/children/{await mother.register()}/deactivation"
        # when
        answers = [await mother.send("POST", path, {"reason": "away"}) for _ in range(3)]
        # then good and bad answers alike tell what is left
        assert [answer.status_code for answer in answers] == [200, 409, 429]
        assert [answer.headers["RateLimit"] for answer in answers] == [
            '"commands";r=1;t=40', '"commands";r=0;t=40', '"commands";r=0;t=40',
        ]  # fmt: skip
        assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"commands";q=2;w=60'}
        assert answers[2].json()["code"] == "too-many-requests"
        assert answers[2].headers["Retry-After"] == "40"
        # when the time of Retry-After has passed
        moments.now += 40
        # then
        assert (await mother.send("POST", path, {"reason": "away"})).status_code == 409


async def test_a_refused_request_costs_neither_its_body_nor_the_store():
    side = CommandSide(limits=limits_of(registration="1/minute"))
    async with side.client(MOTHER) as mother:
        await mother.register()
        # when the body is worse than the rate
        answer = await mother.send("POST", "/children", raw=b"{" * 100_000)
    assert answer.status_code == 429
    assert await side.stored_events() == [*REGISTRATION]


async def test_a_subject_slows_neither_another_nor_its_own_other_classes():
    # given
    side = CommandSide(limits=limits_of(registration="1/hour"))
    async with side.client(MOTHER) as mother:
        child_id = await mother.register()
        assert (await mother.send("POST", "/children", {})).status_code == 429
        # when / then
        report = {"type": "content", "severity": "high"}
        path = f"/children/{child_id}/safety-violations"
        assert (await mother.send("POST", path, report)).status_code == 201
    for other in (STRANGER, ADMIN):
        async with side.client(other) as client:
            assert (await client.send("POST", "/children", {})).status_code == 422


async def test_the_same_name_in_another_role_is_another_subject():
    side = CommandSide(limits=limits_of(commands="1/hour"))
    for role, status in ((Role.DEVICE, 404), (Role.SAFETY_OFFICER, 404)):
        async with side.client(Principal(BEAR.subject, role)) as client:
            path = "/children/7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11/safety-violations"
            report = {"type": "content", "severity": "high"}
            assert (await client.send("POST", path, report)).status_code == status


@pytest.mark.parametrize(
    ("limited", "path", "free"),
    [
        ("search", "/v1/children", "/v1/children/lena"),
        ("queries", "/v1/children/lena", "/v1/children"),
        ("stream", "/v1/parents/weiss/stream", "/v1/parents/weiss/alerts"),
    ],
)
async def test_queries_searches_and_streams_are_counted_apart(limited: str, path: str, free: str):
    # given
    side = QuerySide(limits=limits_of(None, **{limited: "1/minute"}))
    await side.child("lena", parent_id="weiss")
    side.service.edge.streams.close()  # a stream that may be opened ends at once
    async with side.client(parent("weiss")) as client:
        # when
        answers = [await client.get(path) for _ in range(2)]
        # then
        assert [answer.status_code for answer in answers] == [200, 429]
        assert answers[1].headers["RateLimit"].startswith(f'"{limited}";r=0')
        assert (await client.get(free)).status_code == 200
    assert (await side.get(path, OFFICER)).status_code == 200


async def test_who_shows_no_good_token_is_not_counted():
    side = QuerySide(limits=limits_of(queries="1/minute"))
    async with side.bare_client() as client:
        answer = await client.get("/v1/children/lena", headers={"Authorization": "Bearer a"})
    assert answer.status_code == 401
    assert "RateLimit" not in answer.headers
