"""No family sees another's child, cached or not; what the query API refuses over HTTP."""

import pytest

from query_service import bus
from query_service.read_store.port import ReadStoreUnavailable
from shared.keyring.key_store import WrappedKey
from tests.fakes.read_store import MemoryReadModels
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, OFFICER, QuerySide, parent
from tests.support.read_model_builders import violation

WEISS, BRAUN = parent("weiss"), parent("braun")


@pytest.fixture
async def families(side: QuerySide) -> QuerySide:
    """Lena Weiss and Lena Braun, each with everything a child can have."""
    for child_id, parent_id in (("lena-w", "weiss"), ("lena-b", "braun")):
        await side.child(child_id, parent_id=parent_id, name="Lena", flagged_content_count=1)
        side.conversation(child_id, "c1", topic=f"secret of {parent_id}")
        entry = violation("v1", type=f"secret of {parent_id}", severity="high")
        side.report(child_id, entry)
        side.activity(child_id, "2026-11-23", topics={f"secret of {parent_id}": 1})
        side.alert(
            f"alert-{parent_id}",
            child_id=child_id,
            parent_id=parent_id,
            violation_type=f"secret of {parent_id}",
        )
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


WITHOUT_TEXTS = [
    ("/v1/children/lena-b/alert-policy", "child-not-found"),
    ("/v1/children/lena-b/series", "child-not-found"),
    ("/v1/children/lena-b/consents", "child-not-found"),
]


@pytest.mark.parametrize(("path", "code"), [*OF_THE_OTHER_FAMILY, *WITHOUT_TEXTS])
async def test_what_is_the_other_familys_is_not_found(families: QuerySide, path: str, code: str):
    answer = await families.get(path, WEISS)
    assert answer.status_code == 404
    assert answer.json()["code"] == code
    assert "secret" not in answer.text


@pytest.mark.parametrize(("path", "code"), OF_THE_OTHER_FAMILY[:-1])
async def test_an_answer_cached_for_the_other_family_or_an_officer_is_not_served(
    families: QuerySide, path: str, code: str
):
    # given the answer is in the cache of those who may see it
    for principal in (BRAUN, OFFICER):
        assert (await families.get(path, principal)).status_code == 200
    answer = await families.get(path, WEISS)
    assert answer.status_code == 404
    assert answer.json()["code"] == code


@pytest.mark.parametrize(
    "search", ["/v1/children", "/v1/children?name=lena", "/v1/children?parent_id=braun"]
)
async def test_a_search_finds_nothing_of_the_other_family(families: QuerySide, search: str):
    # given the same search is in the cache for others
    for principal in (OFFICER, BRAUN):
        assert "lena-b" in (await families.get(search, principal)).text
    answer = await families.get(search, WEISS)
    assert answer.headers["X-Cache"] == "miss"
    assert "lena-b" not in answer.text


async def test_a_page_cursor_of_an_officer_opens_no_door(families: QuerySide):
    # given a cursor from a search over all families
    cursor = (await families.get("/v1/children?limit=1", OFFICER)).json()["next_cursor"]
    answer = await families.get("/v1/children", BRAUN, params={"cursor": cursor})
    assert answer.status_code == 422
    assert "lena-w" not in answer.text


async def test_a_token_of_the_other_family_opens_no_door(families: QuerySide):
    headers = {"Consistency-Token": families.tokens.issue("lena-b", 1)}
    answer = await families.get("/v1/children/lena-b", WEISS, headers=headers)
    assert answer.status_code == 404


async def test_each_family_sees_all_that_is_its_own(families: QuerySide):
    async with families.client(WEISS) as client:
        for path, _ in OF_THE_OTHER_FAMILY[1:-1]:
            own = path.replace("lena-b", "lena-w").replace("braun", "weiss")
            answer = await client.get(own)
            assert answer.status_code == 200
            assert "secret of weiss" in answer.text
            assert "braun" not in answer.text


INSTANT = "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    ("path", "field", "limit"),
    [
        ("/v1/children/lena/analytics?period_days=0", "period_days", "1..365"),
        ("/v1/children/lena/analytics?period_days=366", "period_days", "1..365"),
        ("/v1/children/lena/analytics?period_days=many", "period_days", None),
        ("/v1/children/lena/analytics?days=7", "days", None),
        ("/v1/children/lena/series?from=yesterday", "from", "YYYY-MM-DD"),
        ("/v1/children/lena/series?to=2026-02-29", "to", "YYYY-MM-DD"),
        ("/v1/children/lena/series?to=2026-11-23T12:00:00Z", "to", "YYYY-MM-DD"),
        ("/v1/children/lena/series?from=1999-12-31", "from", "2000-01-01..2200-01-01"),
        ("/v1/children/lena/series?from=2026-11-02&to=2026-11-01", "to", ">= from"),
        ("/v1/children/lena/series?from=2025-11-01&to=2026-11-02", "to", "1..366 days"),
        ("/v1/children/lena/safety-report?from=yesterday", "from", None),
        ("/v1/children/lena/safety-report?to=2026-11-23T12:00:00", "to", None),
        (f"/v1/children/lena/safety-report?from={INSTANT}&to={INSTANT}", "to", "> from"),
        (
            "/v1/children/lena/safety-report?from=0001-01-01T00:00:00%2B14:00",
            "from",
            "2000-01-01..2200-01-01",
        ),
        ("/v1/children?limit=0", "limit", "1..100"),
        ("/v1/children?limit=101", "limit", "1..100"),
        ("/v1/children?name=l", "name", "2 or more characters"),
        ("/v1/children?age_min=9&age_max=8", "age_max", ">= age_min"),
        ("/v1/children?age_min=-1", "age_min", "0..99"),
        ("/v1/children?safety_status=superb", "safety_status", "excellent, "),
        ("/v1/children?engagement_level=none", "engagement_level", None),
        ("/v1/children?status=erased", "status", "active, deactivated"),
        ("/v1/children?cursor=forged", "cursor", None),
        ("/v1/children?colour=blue", "colour", None),
        ("/v1/parents/weiss/alerts?limit=1000", "limit", "1..100"),
        ("/v1/parents/weiss/alerts?cursor=forged", "cursor", None),
    ],
)
async def test_a_bad_parameter_is_named_with_its_limit(
    side: QuerySide, path: str, field: str, limit: str | None
):
    # given
    await side.child("lena")
    async with side.client(ADMIN) as client:
        # when
        answer = await client.get(path)
    # then
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid-request"
    (error,) = problem["errors"]
    assert error["field"] == field
    assert (error.get("limit") or "").startswith(limit or "")


async def test_an_unknown_child_and_someone_elses_look_the_same(side: QuerySide):
    # given
    await side.child("mia", parent_id="braun")
    async with side.client(parent("weiss")) as client:
        # when
        problems = [
            (await client.get(f"/v1/children/{child_id}")).json() for child_id in ("mia", "nobody")
        ]
    # then
    for problem in problems:
        del problem["instance"], problem["correlation_id"]
    assert problems[0] == problems[1]
    assert problems[0]["code"] == "child-not-found"


async def test_a_store_that_does_not_answer_is_reported_as_such(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    # given
    async def unavailable(*_: object) -> None:
        raise ReadStoreUnavailable("MongoDB: ServerSelectionTimeoutError")

    monkeypatch.setattr(MemoryReadModels, "child", unavailable)
    async with side.client(ADMIN) as client:
        # when
        answer = await client.get("/v1/children/lena")
    # then
    assert_problem(answer, 503, "read-store-unavailable")
    assert answer.headers["Retry-After"] == "1"


async def test_a_child_whose_key_this_process_cannot_unwrap_yet_is_not_lost(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    # given a rotation whose file is still on its way to this machine
    monkeypatch.setattr(bus, "UNREADABLE_SECONDS", 0.0)
    await side.child("lena", parent_id="weiss")
    (known,) = await side.key_store.find(["lena"])
    await side.key_store.replace([(known, WrappedKey("lena", "kek-2", bytes(60)))])
    side.keyring.forget("lena")
    # when
    before = await side.get("/v1/children/lena", parent("weiss"))
    # and has come
    (closed,) = await side.key_store.find(["lena"])
    await side.key_store.replace([(closed, known)])
    after = await side.get("/v1/children/lena", parent("weiss"))
    # then
    assert (before.status_code, before.json()["name"]) == (200, None)
    assert before.json()["unreadable"] == ["name", "udid"]
    assert (after.json()["name"], after.json()["unreadable"]) == ("Lena Weiss", [])
