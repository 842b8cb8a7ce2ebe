"""No family ever sees another: over HTTP, with and without a cached answer in between."""

import pytest

from tests.support.query_side import OFFICER, QuerySide, parent
from tests.support.read_model_builders import (
    activity_document,
    alert_document,
    conversation_document,
    violation,
)

WEISS, BRAUN = parent("weiss"), parent("braun")


@pytest.fixture
async def families(side: QuerySide) -> QuerySide:
    """Lena Weiss and Lena Braun, each with everything a child can have."""
    for child_id, parent_id in (("lena-w", "weiss"), ("lena-b", "braun")):
        await side.child(child_id, parent_id=parent_id, name="Lena", flagged_content_count=1)
        talk = conversation_document(child_id, "c1", topic=f"secret of {parent_id}")
        side.store.conversations[talk["_id"]] = talk
        entry = violation("v1", type=f"secret of {parent_id}", severity="high")
        side.report(child_id, entry)
        day = activity_document(child_id, "2026-11-23", topics={f"secret of {parent_id}": 1})
        side.store.activity_days[day["_id"]] = day
        alert = alert_document(
            f"alert-{parent_id}",
            child_id=child_id,
            parent_id=parent_id,
            violation_type=f"secret of {parent_id}",
        )
        side.store.alerts[alert["_id"]] = alert
    return side


OF_THE_OTHER_FAMILY = [
    ("/v1/children/lena-b", "child-not-found"),
    ("/v1/children/lena-b/safety-report", "child-not-found"),
    ("/v1/children/lena-b/conversations", "child-not-found"),
    ("/v1/children/lena-b/analytics", "child-not-found"),
    ("/v1/parents/braun/children", "parent-not-found"),
    ("/v1/parents/braun/alerts", "parent-not-found"),
    ("/v1/parents/braun/stream", "parent-not-found"),
]


@pytest.mark.parametrize(("path", "code"), OF_THE_OTHER_FAMILY)
async def test_what_is_the_other_familys_is_not_found(
    families: QuerySide, path: str, code: str
) -> None:
    async with families.client(WEISS) as client:
        answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == code
    assert "secret" not in answer.text


@pytest.mark.parametrize(("path", "code"), OF_THE_OTHER_FAMILY[:-1])
async def test_an_answer_cached_for_the_other_family_or_an_officer_is_not_served(
    families: QuerySide, path: str, code: str
) -> None:
    # given the answer is in the cache of those who may see it
    for principal in (BRAUN, OFFICER):
        async with families.client(principal) as client:
            assert (await client.get(path)).status_code == 200
    # when
    async with families.client(WEISS) as client:
        answer = await client.get(path)
    # then
    assert answer.status_code == 404
    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    "search", ["/v1/children", "/v1/children?name=lena", "/v1/children?parent_id=braun"]
)
async def test_a_search_finds_nothing_of_the_other_family(families: QuerySide, search: str) -> None:
    # given the same search is in the cache for others
    for principal in (OFFICER, BRAUN):
        async with families.client(principal) as client:
            assert "lena-b" in (await client.get(search)).text
    # when
    async with families.client(WEISS) as client:
        answer = await client.get(search)
    # then
    assert answer.headers["X-Cache"] == "miss"
    assert "lena-b" not in answer.text


async def test_a_page_cursor_of_an_officer_opens_no_door(families: QuerySide) -> None:
    # given a cursor from a search over all families
    async with families.client(OFFICER) as client:
        cursor = (await client.get("/v1/children?limit=1")).json()["next_cursor"]
    async with families.client(BRAUN) as client:
        answer = await client.get("/v1/children", params={"cursor": cursor})
    assert answer.status_code == 422
    assert "lena-w" not in answer.text


async def test_a_token_of_the_other_family_opens_no_door(families: QuerySide) -> None:
    headers = {"Consistency-Token": families.tokens.issue("lena-b", 1)}
    async with families.client(WEISS) as client:
        answer = await client.get("/v1/children/lena-b", headers=headers)
    assert answer.status_code == 404


async def test_each_family_sees_all_that_is_its_own(families: QuerySide) -> None:
    async with families.client(WEISS) as client:
        for path, _ in OF_THE_OTHER_FAMILY[1:-1]:
            own = path.replace("lena-b", "lena-w").replace("braun", "weiss")
            answer = await client.get(own)
            assert answer.status_code == 200
            assert "secret of weiss" in answer.text
            assert "braun" not in answer.text
