"""Whoever is shown personal data stands in the audit trail before it is sent."""

import httpx2
import pytest

from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, QuerySide, parent

MIA = "00000000-0000-4000-8000-000000000001"
LEO = "00000000-0000-4000-8000-000000000002"
MOTHER = parent("p-1")


@pytest.fixture
async def side() -> QuerySide:
    side = QuerySide()
    await side.child(MIA, parent_id="p-1")
    await side.child(LEO, parent_id="p-1")
    return side


def told(side: QuerySide) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(e.subject, e.operation, e.outcome, e.children) for e in side.audit.entries]


async def test_a_fresh_answer_a_cached_one_and_an_unchanged_one_are_each_recorded(side: QuerySide):
    # when
    async with side.client(MOTHER) as client:
        fresh = await client.get(f"/v1/children/{MIA}")
        cached = await client.get(f"/v1/children/{MIA}")
        tag = {"If-None-Match": fresh.headers["ETag"]}
        unchanged = await client.get(f"/v1/children/{MIA}", headers=tag)
    # then
    assert (cached.headers["X-Cache"], unchanged.status_code) == ("hit", 304)
    assert told(side) == [
        ("p-1", "GetChildProfile", "answered", (MIA,)),
        ("p-1", "GetChildProfile", "answered", (MIA,)),
        ("p-1", "GetChildProfile", "not-modified", (MIA,)),
    ]
    assert side.audit.entries[0].correlation_id == fresh.headers["Correlation-Id"]


@pytest.mark.parametrize(
    ("path", "operation", "children"),
    [
        (f"/v1/children/{MIA}/safety-report", "GetChildSafetyReport", {MIA}),
        (f"/v1/children/{MIA}/conversations", "GetChildConversations", {MIA}),
        (f"/v1/children/{MIA}/analytics", "GetChildAnalytics", {MIA}),
        ("/v1/children?name=lena", "SearchChildren", {MIA, LEO}),
        ("/v1/parents/p-1/children", "GetChildrenByParent", {MIA, LEO}),
        ("/v1/parents/p-1/alerts", "GetAlerts", set()),
    ],
)
async def test_each_read_names_whose_data_it_showed(
    side: QuerySide, path: str, operation: str, children: set[str]
):
    async with side.client(MOTHER) as client:
        assert (await client.get(path)).status_code == 200
    ((subject, recorded, outcome, shown),) = told(side)
    assert (subject, recorded, outcome, set(shown)) == ("p-1", operation, "answered", children)


async def test_a_refused_read_is_recorded_with_the_child_that_was_asked_for(side: QuerySide):
    async with side.client(parent("p-2")) as client:
        assert (await client.get(f"/v1/children/{MIA}")).status_code == 404
    assert told(side) == [("p-2", "GetChildProfile", "child-not-found", (MIA,))]


async def test_a_live_stream_is_recorded_when_it_opens(side: QuerySide):
    side.service.edge.streams.close()
    async with side.client(MOTHER) as client:
        await client.get("/v1/parents/p-1/stream")
    ((subject, operation, outcome, children),) = told(side)
    assert (subject, operation, outcome) == ("p-1", "FollowFamily", "answered")
    assert set(children) == {MIA, LEO}


@pytest.mark.parametrize("path", [f"/v1/children/{MIA}", "/v1/parents/p-1/stream"])
async def test_nothing_is_shown_while_the_trail_is_away(side: QuerySide, path: str):
    # given
    async with side.client(ADMIN) as client:
        await client.get(f"/v1/children/{MIA}")
    side.audit.away = True
    # when
    async with side.client(ADMIN) as client:
        answer = await client.get(path)
    # then
    assert_problem(answer, 503, "audit-unavailable")
    assert "Lena" not in answer.text
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("peer", "address"), [("10.0.0.7", "192.0.2.9"), ("192.0.2.66", "192.0.2.66")]
)
async def test_the_trail_keeps_the_callers_address_as_a_trusted_proxy_tells_it(
    side: QuerySide, peer: str, address: str
):
    transport = httpx2.ASGITransport(side.app, client=(peer, 1))
    headers = {**side.bearer(MOTHER), "X-Forwarded-For": "192.0.2.9"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        await client.get(f"/v1/children/{MIA}", headers=headers)
    assert side.audit.entries[-1].address == address
