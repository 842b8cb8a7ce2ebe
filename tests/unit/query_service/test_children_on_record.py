"""Each route's record names exactly the children whose data its answer holds."""

from collections.abc import Mapping

import pytest

from tests.support.query_side import ADMIN, QuerySide
from tests.support.read_model_builders import (
    NOON,
    violation,
)
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
    "/v1/children/{child_id}/conversations": (f"/v1/children/{MIA}/conversations", {MIA}),
    "/v1/children/{child_id}/analytics": (f"/v1/children/{MIA}/analytics", {MIA}),
    "/v1/children/{child_id}/export": (f"/v1/children/{MIA}/export", {MIA}),
    "/v1/children/{child_id}/erasure-receipt": (f"/v1/children/{ERASED}/erasure-receipt", {ERASED}),
    "/v1/parents/{parent_id}/children": ("/v1/parents/p-1/children", {MIA, LEO}),
    "/v1/parents/{parent_id}/alerts": ("/v1/parents/p-1/alerts", {LEO}),
    "/v1/parents/{parent_id}/stream": ("/v1/parents/p-1/stream", {MIA, LEO}),
    "/v1/system/analytics": ("/v1/system/analytics", set()),
    "/v1/queries": ("/v1/queries", set()),
    "/v1/cache": ("/v1/cache", set()),
}
"""Route to what is asked there, and whose data it answers."""


@pytest.fixture
async def side() -> QuerySide:
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
    side.service.edge.streams.close()  # an open stream would never end its answer
    return side


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
    assert [set(entry.children) for entry in side.audit.entries] == [children, children]
    assert all(len(entry.children) == len(children) for entry in side.audit.entries)
