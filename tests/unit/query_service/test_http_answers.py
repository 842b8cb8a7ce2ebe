import asyncio
from datetime import timedelta

import pytest

from shared.clock import iso
from shared.read_models.notices import ChangeNotice
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, OFFICER, QuerySide, parent
from tests.support.read_model_builders import NOON, violation

WEISS = parent("weiss")


async def test_an_answer_says_whether_it_came_from_the_cache(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    async with side.client(WEISS) as client:
        # when
        answers = [await client.get("/v1/children/lena") for _ in range(2)]
    # then
    assert [answer.headers["X-Cache"] for answer in answers] == ["miss", "hit"]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["Content-Type"] == "application/json"
    assert answers[0].headers["Cache-Control"] == "private, no-cache"
    assert answers[0].headers["Correlation-Id"]
    assert side.store.reads == 1


async def test_every_answer_says_how_old_it_is(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    side.store.through = NOON
    async with side.client(WEISS) as client:
        first = await client.get("/v1/children/lena")
        # when the read models move on and the answer is still the one that was kept
        side.store.through = NOON + timedelta(minutes=1)
        second = await client.get("/v1/children/lena")
        same = await client.get(
            "/v1/children/lena", headers={"If-None-Match": first.headers["ETag"]}
        )
        alerts = await client.get("/v1/parents/weiss/alerts")
    # then
    reported = [answer.headers["X-As-Of"] for answer in (first, second, same, alerts)]
    assert reported == [iso(NOON)] * 3 + [iso(NOON + timedelta(minutes=1))]
    assert {answer.headers["Age"] for answer in (first, second, same, alerts)} == {"0"}
    assert [answer.headers["Cache-Status"] for answer in (first, second, same)] == [
        "teddy-query; fwd=miss",
        "teddy-query; hit",
        "teddy-query; hit",
    ]
    assert same.status_code == 304


async def test_before_a_worker_has_told_nobody_knows_how_old_the_read_models_are(side: QuerySide):
    await side.child("lena", parent_id="weiss")
    answer = await side.get("/v1/children/lena", WEISS)

    assert "X-As-Of" not in answer.headers


async def test_while_no_changes_are_heard_of_answers_come_and_say_so(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss", age=7)
    side.connect(False)
    async with side.client(WEISS) as client:
        # when
        answers = [await client.get("/v1/children/lena") for _ in range(2)]
        # then
        assert [answer.json()["age"] for answer in answers] == [7, 7]
        assert [answer.headers["Cache-Status"] for answer in answers] == [
            "teddy-query; fwd=miss; detail=change-feed-down",
            "teddy-query; hit; detail=change-feed-down",
        ]


async def test_while_no_changes_are_heard_of_a_token_is_kept(side: QuerySide):
    # given an answer that is kept, and a later version in the read models
    document = await side.child("lena", parent_id="weiss", age=7)
    side.connect(False)
    async with side.client(WEISS) as client:
        await client.get("/v1/children/lena")
        version = document["version"] + 1
        side.store.children["lena"] = {**document, "age": 8, "version": version}
        token = side.tokens.issue("lena", version)
        # when
        answer = await client.get("/v1/children/lena", headers={"Consistency-Token": token})
    # then
    assert (answer.status_code, answer.json()["age"]) == (200, 8)


@pytest.mark.parametrize("form", ["{etag}", "W/{etag}", '"other", {etag}', "*"])
async def test_who_has_the_answer_is_told_that_it_still_holds(side: QuerySide, form: str):
    # given
    await side.child("lena", parent_id="weiss")
    async with side.client(WEISS) as client:
        etag = (await client.get("/v1/children/lena")).headers["ETag"]
        # when
        offered = {"If-None-Match": form.format(etag=etag)}
        again = await client.get("/v1/children/lena", headers=offered)
    # then
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["ETag"] == etag


async def test_a_changed_answer_has_another_validator(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    async with side.client(WEISS) as client:
        etag = (await client.get("/v1/children/lena")).headers["ETag"]
        # when
        side.change("lena", age=8)
        again = await client.get("/v1/children/lena", headers={"If-None-Match": etag})
    # then
    assert again.status_code == 200
    assert again.headers["ETag"] != etag


async def test_every_query_has_its_address(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    side.report("lena", violation("v1"))
    paths = [
        "/v1/children/lena",
        "/v1/children/lena/safety-report?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00%2B01:00",
        "/v1/children/lena/conversations?limit=5",
        "/v1/children/lena/analytics?period_days=7",
        "/v1/children?name=lena&age_min=3&age_max=12&status=active&limit=5",
        "/v1/parents/weiss/children",
        "/v1/parents/weiss/alerts?limit=5",
        "/v1/system/analytics",
        "/v1/children/lena/alert-policy",
        "/v1/children/lena/consents?limit=5",
        "/v1/children/lena/series?from=2026-11-01&to=2026-11-02",
        "/v1/children/lena/audit-records?limit=5",
    ]
    async with side.client(OFFICER) as client:
        # when
        answers = [await client.get(path) for path in paths]
    # then
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    assert all(answer.headers["ETag"] for answer in answers)
    report = answers[1].json()
    assert (report["from"], report["total_violations"]) == ("2026-11-01T00:00:00.000Z", 1)
    assert answers[2].json()["next_cursor"] is None
    assert len(answers[3].json()["days"]) == 7


async def test_a_token_of_what_is_visible_does_not_wait_and_may_use_the_cache(side: QuerySide):
    await side.child("lena", parent_id="weiss", version=3)
    headers = {"Consistency-Token": side.tokens.issue("lena", 3)}
    async with side.client(WEISS) as client:
        answers = [await client.get("/v1/children/lena", headers=headers) for _ in range(2)]
    assert [answer.headers["X-Cache"] for answer in answers] == ["miss", "hit"]


async def test_a_query_waits_for_the_write_of_its_token(side: QuerySide):
    # given a command was accepted, its event not yet projected
    await side.child("lena", parent_id="weiss", version=3, age=7)
    headers = {"Consistency-Token": side.tokens.issue("lena", 4), "Prefer": "wait=1"}
    async with side.client(WEISS) as client:
        await client.get("/v1/children/lena")
        asking = asyncio.create_task(client.get("/v1/children/lena", headers=headers))
        await side.store.version_read.wait()
        # when
        side.change("lena", age=8)
        answer = await asking
    # then
    assert answer.json()["age"] == 8


async def test_a_token_never_gets_an_older_answer_from_the_cache(side: QuerySide):
    # given a cached dashboard and search, and a write whose notice has not arrived
    await side.child("lena", parent_id="weiss", version=3, conversation_count=0)
    paths = ("/v1/parents/weiss/children", "/v1/children?parent_id=weiss", "/v1/system/analytics")
    async with side.client(ADMIN) as client:
        for path in paths:
            await client.get(path)
        side.store.children["lena"]["version"] = 4
        # when
        headers = {"Consistency-Token": side.tokens.issue("lena", 4)}
        answers = [await client.get(path, headers=headers) for path in paths]
    # then
    assert [answer.headers["X-Cache"] for answer in answers] == ["miss", "miss", "miss"]


async def test_a_query_that_waits_in_vain_says_so(side: QuerySide):
    await side.child("lena", parent_id="weiss", version=3)
    headers = {"Consistency-Token": side.tokens.issue("lena", 4), "Prefer": "wait=0.01"}
    answer = await side.get("/v1/children/lena", WEISS, headers=headers)
    assert_problem(answer, 503, "read-model-late")
    assert answer.headers["Retry-After"] == "1"


async def test_nobody_waits_longer_than_the_settings_allow(side: QuerySide):
    # given a limit of 1 s in the settings
    headers = {
        "Consistency-Token": side.tokens.issue("lena", 4),
        "Prefer": "respond-async, wait=100000",
    }
    async with side.client(WEISS) as client:
        # when
        answer = await asyncio.wait_for(client.get("/v1/children/lena", headers=headers), 5)
    # then
    assert answer.json()["code"] == "read-model-late"


async def test_a_token_that_was_not_given_out_is_refused(side: QuerySide):
    async with side.client(WEISS) as client:
        headers = {"Consistency-Token": "forged"}
        answer = await client.get("/v1/children/lena", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Consistency-Token"


async def test_a_life_of_nothing_without_the_change_feed_keeps_no_answer():
    # given an answer from before the feed broke
    side = QuerySide(unwatched_seconds=0)
    await side.child("lena", parent_id="weiss", age=7)
    async with side.client(WEISS) as client:
        await client.get("/v1/children/lena")
        side.connect(False)
        # when a change happens whose notice never arrives
        side.store.children["lena"]["age"] = 8
        answers = [await client.get("/v1/children/lena") for _ in range(2)]
    # then
    assert [answer.json()["age"] for answer in answers] == [8, 8]
    assert [answer.headers["X-Cache"] for answer in answers] == ["miss", "miss"]


async def test_a_notice_of_another_child_leaves_the_answer_in_the_cache(side: QuerySide):
    # given
    await side.child("lena", parent_id="weiss")
    async with side.client(WEISS) as client:
        await client.get("/v1/children/lena")
        # when
        for listener in side.service.listeners:
            listener.received(ChangeNotice("leo", "braun", 9))
        answer = await client.get("/v1/children/lena")
    # then
    assert answer.headers["X-Cache"] == "hit"


async def test_an_admin_sees_the_queries_and_the_cache_and_clears_it(side: QuerySide):
    # given
    await side.child("lena")
    async with side.client(ADMIN) as client:
        for _ in range(2):
            await client.get("/v1/children/lena")
        # when
        queries = (await client.get("/v1/queries")).json()["queries"]
        before = (await client.get("/v1/cache")).json()
        cleared = await client.delete("/v1/cache")
        after = (await client.get("/v1/cache")).json()
    # then
    assert {query["query"]: query["cache_seconds"] for query in queries} == {
        "GetChildProfile": 1_800,
        "GetChildrenByParent": 900,
        "GetChildSafetyReport": 3_600,
        "GetAlertPolicy": 3_600,
        "GetChildConversations": 3_600,
        "GetChildAnalytics": 7_200,
        "GetChildSeries": 7_200,
        "SearchChildren": 300,
        "GetSystemAnalytics": 7_200,
        "GetAlerts": None,
        "GetSafetyViolations": None,
        "GetChildAuditRecords": None,
        "GetChildConsents": None,
        "GetErasureReceipt": None,
        "GetSystemStatus": None,
        "GetSystemProcesses": None,
        "GetOperations": None,
        "GetSystemSeries": None,
        "GetSystemProtection": None,
        "ExportChild": None,
    }
    assert (before["size"], before["hits"], before["misses"]) == (1, 1, 1)
    assert before["hit_rate"] == 0.5
    assert cleared.json() == {"removed": 1}
    assert after["size"] == 0


async def test_operators_need_no_token(side: QuerySide):
    async with side.client() as client:
        live = await client.get("/health/live")
        ready = await client.get("/health/ready")
        metrics = await client.get("/metrics")
        openapi = await client.get("/openapi.json")
        docs = await client.get("/docs")
    assert live.json() == {"status": "live"}
    assert ready.json()["dependencies"] == {"read_store": "up"}
    assert "teddy_query_cache_entries 0.0" in metrics.text
    assert docs.status_code == 200
    paths = openapi.json()["paths"]
    operation = paths["/v1/children/{child_id}"]["get"]
    answer = operation["responses"]["200"]["content"]["application/json"]
    assert answer["schema"]["$ref"].endswith("/ChildProfile")
    assert {"X-As-Of", "Age", "Cache-Status"} <= set(operation["responses"]["200"]["headers"])
    of_the_query = {"child_id", "Consistency-Token", "Prefer", "If-None-Match"}
    assert of_the_query | {"Correlation-Id", "traceparent"} == {
        parameter["name"] for parameter in operation["parameters"]
    }
