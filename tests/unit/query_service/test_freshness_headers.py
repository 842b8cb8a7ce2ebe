"""Every route that answers a query says how old its answer is."""

import pytest

from shared.clock import iso
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.read_model_builders import NOON
from tests.support.routes import guarded

OF_THE_PROCESS = frozenset({"get_query_bus", "get_cache_statistics"})
"""What a process says of itself, as it is at this moment."""

MADE_ANEW = frozenset({"export_child"})
"""Nobody knows what it will be before it is sent: it has no validator."""

STREAMS = frozenset({"follow_family"})
QUERIES = [
    route
    for route in guarded(QuerySide().app)
    if route.method == "GET" and route.name not in OF_THE_PROCESS | STREAMS
]
FRESHNESS = {"X-As-Of", "Age", "Cache-Status"}


@pytest.mark.parametrize("route", QUERIES, ids=str)
async def test_an_answer_says_how_old_it_is(side: QuerySide, route: object):
    # given a child, one that was erased, and read models that a worker told of
    await side.child("lena", parent_id="weiss")
    await side.child("mia", parent_id="weiss", status="erased")
    await side.list_as_erased("mia")
    side.store.through = NOON
    path = str(route).removeprefix("GET ")
    child = "mia" if "receipt" in path else "lena"
    principal = ADMIN if "system" in path else parent("weiss")
    # when
    async with side.client(principal) as client:
        answer = await client.get(path.format(child_id=child, parent_id="weiss"))
    # then
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-As-Of"] == iso(NOON)
    assert answer.headers["Age"] == "0"
    assert answer.headers["Cache-Status"] == "teddy-query; fwd=miss"


async def test_the_documentation_names_it_for_every_query(side: QuerySide):
    async with side.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]

    assert len(QUERIES) == len(side.service.edge.bus.handlers)
    for route in QUERIES:
        responses = paths[route.path]["get"]["responses"]
        assert set(responses["200"]["headers"]) >= FRESHNESS, route
        assert ("304" in responses) is (route.name not in MADE_ANEW), route
        assert set(responses.get("304", responses["200"])["headers"]) >= FRESHNESS, route
