"""Whose data is shown: in the audit trail before it is sent, and each child exactly once."""

from collections.abc import AsyncIterator, Mapping

import httpx2
import pytest

from query_service.api.evidence import BEGUN
from tests.support.child_facts import ADA, VIOLATION
from tests.support.incidents import incident
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.read_model_builders import NOON, violation
from tests.support.routes import guarded

MIA = "00000000-0000-4000-8000-000000000001"
LEO = "00000000-0000-4000-8000-000000000002"
ERASED = "00000000-0000-4000-8000-000000000003"
STRANGER = "00000000-0000-4000-8000-000000000009"
"""Named in what was written about the others; nothing of it is in any answer."""

ON_RECORD: Mapping[str, tuple[str, set[str]]] = {
    "/v1/children": ("/v1/children?name=mia", {MIA}),
    "/v1/children/{child_id}": (f"/v1/children/{MIA}", {MIA}),
    "/v1/children/{child_id}/safety-report": (f"/v1/children/{MIA}/safety-report", {MIA}),
    "/v1/children/{child_id}/alert-policy": (f"/v1/children/{MIA}/alert-policy", {MIA}),
    "/v1/children/{child_id}/conversations": (f"/v1/children/{MIA}/conversations", {MIA}),
    "/v1/children/{child_id}/consents": (f"/v1/children/{MIA}/consents", {MIA}),
    "/v1/children/{child_id}/analytics": (f"/v1/children/{MIA}/analytics", {MIA}),
    "/v1/children/{child_id}/series": (f"/v1/children/{MIA}/series", {MIA}),
    "/v1/children/{child_id}/export": (f"/v1/children/{MIA}/export", {MIA}),
    "/v1/children/{child_id}/erasure-receipt": (f"/v1/children/{ERASED}/erasure-receipt", {ERASED}),
    "/v1/children/{child_id}/audit-records": (f"/v1/children/{MIA}/audit-records", {MIA}),
    "/v1/children/{child_id}/safety-violations/{violation_id}/evidence": (
        f"/v1/children/{ADA}/safety-violations/{VIOLATION}/evidence",
        {ADA},
    ),
    "/v1/parents/{parent_id}/children": ("/v1/parents/p-1/children", {MIA, LEO}),
    "/v1/parents/{parent_id}/alerts": ("/v1/parents/p-1/alerts", {LEO}),
    "/v1/parents/{parent_id}/stream": ("/v1/parents/p-1/stream", {MIA, LEO}),
    "/v1/safety-violations": ("/v1/safety-violations", {MIA}),
    "/v1/system/analytics": ("/v1/system/analytics", set()),
    "/v1/system/series": ("/v1/system/series", set()),
    "/v1/system/status": ("/v1/system/status", set()),
    "/v1/system/processes": ("/v1/system/processes", set()),
    "/v1/system/operations": ("/v1/system/operations", set()),
    "/v1/system/requests": ("/v1/system/requests", set()),
    "/v1/system/protection": ("/v1/system/protection", {ERASED}),
    "/v1/sql/tables": ("/v1/sql/tables", set()),
    "/v1/queries": ("/v1/queries", set()),
    "/v1/cache": ("/v1/cache", set()),
}
"""Route to what is asked there, and whose data it answers."""


@pytest.fixture
async def side() -> AsyncIterator[QuerySide]:
    """Two children of one parent, with texts that name a third as JSON would."""
    side = QuerySide()
    other = {"child_id": STRANGER, "friends": [{"child_id": STRANGER}]}
    await side.child(MIA, parent_id="p-1", name="Mia Weiss", preferences=other)
    await side.child(LEO, parent_id="p-1", name=f'Leo "child_id":"{STRANGER}"')
    naming = f'"child_id":"{STRANGER}"'
    side.report(MIA, violation("v-1", type=naming))
    side.conversation(MIA, "c-1", topic=naming)
    side.activity(MIA, NOON.date().isoformat(), topics={naming: 1})
    side.alert("a-1", parent_id="p-1", child_id=LEO)
    side.alert("a-2", parent_id="p-1", child_id=LEO)
    await side.list_as_erased(ERASED)
    await incident(side)
    side.service.edge.streams.close()  # an open stream would never end its answer
    yield side
    await side.close()


def test_every_route_that_reads_is_asked_here(side: QuerySide):
    read = {route.path for route in guarded(side.app) if route.method == "GET"}
    assert read == set(ON_RECORD)


@pytest.mark.parametrize(("path", "children"), ON_RECORD.values(), ids=list(ON_RECORD))
async def test_the_record_names_whose_data_the_answer_holds_and_nobody_else(
    side: QuerySide, path: str, children: set[str]
):
    # when: asked twice, the second answer may come from the cache
    async with side.client(ADMIN) as client:
        statuses = [(await client.get(path)).status_code for _ in range(2)]
    assert statuses == [200, 200]
    entries = [entry for entry in side.audit.entries if entry.outcome != BEGUN]
    assert [set(entry.children) for entry in entries] == [children, children]
    assert all(len(entry.children) == len(children) for entry in entries)


MOTHER = parent("p-1")


@pytest.fixture
async def family() -> QuerySide:
    family = QuerySide()
    await family.child(MIA, parent_id="p-1")
    await family.child(LEO, parent_id="p-1")
    return family


def reported(family: QuerySide) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(e.subject, e.operation, e.outcome, e.children) for e in family.audit.entries]


async def test_a_fresh_answer_a_cached_one_and_an_unchanged_one_are_each_recorded(
    family: QuerySide,
):
    # when
    async with family.client(MOTHER) as client:
        fresh = await client.get(f"/v1/children/{MIA}")
        cached = await client.get(f"/v1/children/{MIA}")
        tag = {"If-None-Match": fresh.headers["ETag"]}
        unchanged = await client.get(f"/v1/children/{MIA}", headers=tag)
    # then
    assert (cached.headers["X-Cache"], unchanged.status_code) == ("hit", 304)
    assert reported(family) == [
        ("p-1", "GetChildProfile", "answered", (MIA,)),
        ("p-1", "GetChildProfile", "answered", (MIA,)),
        ("p-1", "GetChildProfile", "not-modified", (MIA,)),
    ]
    assert family.audit.entries[0].correlation_id == fresh.headers["Correlation-Id"]


@pytest.mark.parametrize(
    ("path", "operation", "children"),
    [
        (f"/v1/children/{MIA}/safety-report", "GetChildSafetyReport", {MIA}),
        (f"/v1/children/{MIA}/conversations", "GetChildConversations", {MIA}),
        (f"/v1/children/{MIA}/analytics", "GetChildAnalytics", {MIA}),
        ("/v1/children?name=lena", "SearchChildren", {MIA, LEO}),
        ("/v1/parents/p-1/children", "GetChildrenByParent", {MIA, LEO}),
        ("/v1/parents/p-1/children?limit=1", "GetChildrenByParent", {min(MIA, LEO)}),
        ("/v1/parents/p-1/alerts", "GetAlerts", set()),
    ],
)
async def test_each_read_names_whose_data_it_showed(
    family: QuerySide, path: str, operation: str, children: set[str]
):
    assert (await family.get(path, MOTHER)).status_code == 200
    ((subject, recorded, outcome, shown),) = reported(family)
    assert (subject, recorded, outcome, set(shown)) == ("p-1", operation, "answered", children)


async def test_a_refused_read_is_recorded_with_the_child_that_was_asked_for(family: QuerySide):
    assert (await family.get(f"/v1/children/{MIA}", parent("p-2"))).status_code == 404
    assert reported(family) == [("p-2", "GetChildProfile", "child-not-found", (MIA,))]


async def test_a_live_stream_is_recorded_when_it_opens(family: QuerySide):
    family.service.edge.streams.close()
    async with family.client(MOTHER) as client:
        await client.get("/v1/parents/p-1/stream")
    ((subject, operation, outcome, children),) = reported(family)
    assert (subject, operation, outcome) == ("p-1", "FollowFamily", "answered")
    assert set(children) == {MIA, LEO}


@pytest.mark.parametrize("path", [f"/v1/children/{MIA}", "/v1/parents/p-1/stream"])
async def test_nothing_is_shown_while_the_trail_is_away(family: QuerySide, path: str):
    # given
    async with family.client(ADMIN) as client:
        await client.get(f"/v1/children/{MIA}")
    family.audit.away = True
    # when
    answer = await family.get(path, ADMIN)
    # then
    assert_problem(answer, 503, "audit-unavailable")
    assert "Lena" not in answer.text
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("peer", "address"), [("10.0.0.7", "192.0.2.9"), ("192.0.2.66", "192.0.2.66")]
)
async def test_the_trail_keeps_the_callers_address_as_a_trusted_proxy_tells_it(
    family: QuerySide, peer: str, address: str
):
    transport = httpx2.ASGITransport(family.app, client=(peer, 1))
    headers = {**family.bearer(MOTHER), "X-Forwarded-For": "192.0.2.9"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        await client.get(f"/v1/children/{MIA}", headers=headers)
    assert family.audit.entries[-1].address == address
