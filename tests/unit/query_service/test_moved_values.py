"""Whoever may write the read models but holds no key cannot have one sealed value shown as another.

Each test moves ciphertexts in the stored documents, as the database's password allows.
"""

import itertools
from datetime import timedelta
from typing import Any, cast

import httpx2
import pytest

from query_service.queries.visible_children import OWN_FIELDS
from shared.auth.access import Principal
from tests.support.exports import document_of
from tests.support.query_side import ADMIN, QuerySide, device, parent
from tests.support.read_model_builders import NOON, sealed, violation

MIA = "00000000-0000-4000-8000-000000000001"
PLAIN: dict[str, Any] = {name: f"told as {name}" for name in OWN_FIELDS} | {
    "name": "Mia Weiss",
    "udid": "teddy-secret-000042",
    "device_id": "bear-7",
    "preferences": {"song": "owl lullaby"},
    "learning_style": "by listening",
    "interests": ["whales"],
}
TOLD = ("teddy-secret", "owl lullaby", "by listening", "whales", "Mia Weiss", "bear-7", "told as")
MOVES = list(itertools.permutations(OWN_FIELDS, 2))
ROUTES = (
    f"/v1/children/{MIA}",
    "/v1/children",
    "/v1/parents/p-1/children",
    f"/v1/children/{MIA}/export",
)


@pytest.fixture
async def side() -> QuerySide:
    side = QuerySide()
    await side.child(MIA, parent_id="p-1", **PLAIN)
    return side


def client_of(side: QuerySide, principal: Principal) -> httpx2.AsyncClient:
    """One that gets the 500 of a profile that does not open, as over a socket."""
    transport = httpx2.ASGITransport(side.app, raise_app_exceptions=False)
    headers = side.bearer(principal)
    return httpx2.AsyncClient(transport=transport, base_url="http://query", headers=headers)


async def answers(side: QuerySide) -> str:
    """What every route that opens values of the child says, one after the other."""
    async with client_of(side, ADMIN) as client:
        return "\n".join([(await client.get(route)).text for route in ROUTES])


def reported_of(plain: Any) -> str:
    return next(one for one in TOLD if one in str(plain))


def test_every_sealed_field_of_a_child_is_moved_here():
    assert set(PLAIN) == set(OWN_FIELDS)


@pytest.mark.parametrize(("source", "target"), MOVES)
async def test_a_value_that_was_moved_to_another_field_is_shown_nowhere(
    side: QuerySide, source: str, target: str
):
    document = cast(dict[str, Any], side.store.children[MIA])
    document[target], document[source] = document[source], None
    shown = await answers(side)
    assert reported_of(PLAIN[source]) not in shown


async def test_a_bear_is_known_by_its_own_id_only(side: QuerySide):
    # given the udid, which is printed on the bear, stands as the device's id
    document = side.store.children[MIA]
    document["device_id"] = document["udid"]
    async with client_of(side, device(PLAIN["udid"])) as client:
        answer = await client.get(f"/v1/children/{MIA}")
    assert answer.status_code != 200
    assert "Mia" not in answer.text


async def test_details_of_one_violation_are_not_shown_as_another_s(side: QuerySide):
    # given
    cipher = await side.keyring.create(MIA)
    details = sealed(cipher, MIA, "details", "was hit", version=4, of="v-1")
    reported_twice = [
        violation("v-1", details=details),
        violation("v-2", details=details, at=NOON + timedelta(minutes=1)),
    ]
    side.report(MIA, *reported_twice)
    # when
    async with side.client(parent("p-1")) as client:
        report = (await client.get(f"/v1/children/{MIA}/safety-report")).json()
        export = await document_of(await client.get(f"/v1/children/{MIA}/export"))
    # then
    reported = {one["violation_id"]: one["details"] for one in report["violations"]}
    exported = {one["id"]: one["details"] for one in export["safety"]["violations"]}
    assert reported == exported == {"v-1": "was hit", "v-2": None}
    assert report["unreadable"] == ["v-2"]
    assert export["unreadable"] == ["safety.violations.1.details"]


async def test_details_are_not_shown_as_the_child_s_name(side: QuerySide):
    cipher = await side.keyring.create(MIA)
    side.store.children[MIA]["name"] = sealed(cipher, MIA, "details", "was hit", 4, of="v-1")
    assert "was hit" not in await answers(side)


async def test_a_value_of_another_child_is_not_shown(side: QuerySide):
    other = "00000000-0000-4000-8000-000000000002"
    await side.child(other, parent_id="p-2", name="Leo Braun")
    side.store.children[MIA]["name"] = side.store.children[other]["name"]
    answer = await side.get("/v1/parents/p-1/children", parent("p-1"))
    assert "Leo" not in answer.text
    assert answer.json()["unreadable"] == [MIA]
