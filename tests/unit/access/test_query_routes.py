"""Every route of the query API x every role x whose child: as the access table says."""

import httpx2
import pytest

from shared.auth.access import ACCESS, Principal, Relation, Role
from tests.support.child_facts import VIOLATION
from tests.support.incidents import incident
from tests.support.problem_documents import same_refusal
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent
from tests.support.routes import Route, guarded

CALLERS = {
    Role.PARENT: parent("weiss"),
    Role.DEVICE: device("bear-7"),
    Role.SAFETY_OFFICER: OFFICER,
    Role.ANALYST: ANALYST,
    Role.ADMIN: ADMIN,
}
ROUTES = guarded(QuerySide().app)
LENA, ELLA, NOBODY = (f"{digit * 8}-1111-4111-8111-111111111111" for digit in "123")
IDS = {
    "own": {"child_id": LENA, "parent_id": "weiss"},
    "other": {"child_id": ELLA, "parent_id": "braun"},
    "unknown": {"child_id": NOBODY, "parent_id": "nobod"},
}
OF_ANY_ID = frozenset({"GetChildAuditRecords"})
"""The trail tells what was asked about an id, also one that no child has."""


@pytest.fixture
async def families() -> QuerySide:
    side = QuerySide()
    await side.child(LENA, parent_id="weiss", device_id="bear-7")
    await side.child(ELLA, parent_id="braun", device_id="bear-8")
    for child_id in (LENA, ELLA):
        await side.list_as_erased(child_id)  # what has a receipt
        await incident(side, child_id)  # what has evidence
    side.service.edge.streams.close()  # a stream that may be opened ends at once
    return side


async def ask(side: QuerySide, route: Route, caller: Principal, whose: str) -> httpx2.Response:
    async with side.client(caller) as client:
        path = route.path.format_map({**IDS[whose], "violation_id": VIOLATION})
        return await client.request(route.method, path, json=route.body)


@pytest.mark.parametrize("route", ROUTES, ids=str)
@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_what_the_table_says(families: QuerySide, route: Route, role: Role):
    # given
    relation = ACCESS[route.operation].of(role)
    # when
    own, other, unknown = [
        await ask(families, route, CALLERS[role], whose) for whose in ("own", "other", "unknown")
    ]
    # then
    if relation is Relation.NONE:
        assert {r.status_code for r in (own, other, unknown)} == {403}
        assert own.json()["code"] == "forbidden"
        assert own.json()["detail"] == f"The role {role.value} may not execute {route.operation}."
        return
    assert own.is_success, own.text
    if relation is Relation.NUMBERS:
        assert not any(name in own.text for ids in IDS.values() for name in ids.values())
    if relation in (Relation.OWN_FAMILY, Relation.OWN_BEAR) and "{" in route.path:
        assert other.status_code == 404
        assert same_refusal(other, unknown)
    if relation in (Relation.OWN_FAMILY, Relation.OWN_BEAR):
        assert not any(name in own.text for name in IDS["other"].values())
    if relation is Relation.ALL and "child_id" in route.path:
        of_unknown = 200 if route.operation in OF_ANY_ID else 404
        assert (other.status_code, unknown.status_code) == (200, of_unknown)


async def test_a_list_of_all_holds_both_families_and_a_parents_only_its_own(families: QuerySide):
    for caller, found in ((OFFICER, {LENA, ELLA}), (parent("weiss"), {LENA})):
        items = (await families.get("/v1/children", caller)).json()["items"]
        assert {item["child_id"] for item in items} == found
