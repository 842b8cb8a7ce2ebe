from collections.abc import Callable, Iterator

import httpx2
import orjson
import pytest

from shared.client import (
    Freshness,
    Observation,
    SeenWrites,
    TeddyClient,
    TeddyProblem,
    Unreachable,
    freshness_of,
)
from shared.client.transport import Transport

Answer = Callable[[httpx2.Request], httpx2.Response]
ACCEPTED = {"child_id": "mia", "version": 3, "events": ["ChildProfileUpdated"]}


class Api:
    """An API that answers from a list and remembers what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers: Iterator[httpx2.Response | Exception] = iter(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(
        self, observe: Callable[[Observation], None] | None = None, seen: SeenWrites | None = None
    ) -> TeddyClient:
        return TeddyClient(
            "http://command",
            "http://query",
            "token-1",
            observe=observe,
            transport=httpx2.MockTransport(self),
            seen=seen,
        )


def accepted(token: str = "token-of-mia") -> httpx2.Response:
    return httpx2.Response(200, json=ACCEPTED, headers={"Consistency-Token": token})


def accepted_at(version: int) -> httpx2.Response:
    answer = {**ACCEPTED, "version": version}
    return httpx2.Response(200, json=answer, headers={"Consistency-Token": f"at-{version}"})


def busy() -> httpx2.Response:
    return httpx2.Response(503, json={"code": "store-unavailable"}, headers={"Retry-After": "0"})


async def test_every_command_has_an_idempotency_key_of_its_own():
    api = Api(accepted(), accepted())
    async with api.client() as client:
        await client.update_child_profile("mia", age=5)
        await client.update_child_profile("mia", age=6)

    first, second = (request.headers["Idempotency-Key"] for request in api.requests)
    assert first != second
    assert api.requests[0].headers["Authorization"] == "Bearer token-1"


async def test_a_retry_keeps_its_key():
    api = Api(busy(), httpx2.ConnectError("gone"), accepted())
    async with api.client() as client:
        answer = await client.update_child_profile("mia", age=5)

    assert answer["version"] == 3
    assert len({request.headers["Idempotency-Key"] for request in api.requests}) == 1
    assert len(api.requests) == 3


async def test_a_conflict_that_says_when_to_come_again_is_sent_again_then():
    # given
    passing = {"status": 409, "code": "concurrent-update"}
    api = Api(httpx2.Response(409, json=passing, headers={"Retry-After": "3"}), accepted())
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    transport = Transport(
        "http://command", "token-1", 5.0, transport=httpx2.MockTransport(api), sleep=pause
    )
    # when
    response = await transport.request("POST", "/v1/children", headers={"Idempotency-Key": "k"})
    # then
    assert (response.status_code, pauses) == (200, [3.0])
    assert len(api.requests) == 2


async def test_a_conflict_that_stays_is_a_problem_at_once():
    api = Api(httpx2.Response(409, json={"status": 409, "code": "already-deactivated"}))
    async with api.client() as client:
        with pytest.raises(TeddyProblem) as refused:
            await client.update_child_profile("mia", age=5)
    assert refused.value.code == "already-deactivated"
    assert len(api.requests) == 1


async def test_after_four_attempts_a_busy_api_is_a_problem():
    api = Api(*(busy() for _ in range(4)))
    async with api.client() as client:
        with pytest.raises(TeddyProblem) as refused:
            await client.update_child_profile("mia", age=5)

    assert (refused.value.status, refused.value.code) == (503, "store-unavailable")
    assert len(api.requests) == 4


async def test_an_api_that_never_answers_is_unreachable():
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    gone = Api(*(httpx2.ConnectError("gone") for _ in range(4)))
    transport = Transport(
        "http://command", "token", 1.0, transport=httpx2.MockTransport(gone), sleep=note
    )
    with pytest.raises(Unreachable, match="ConnectError"):
        await transport.request("GET", "/health/ready")
    await transport.close()

    assert pauses == sorted(pauses)
    assert len(pauses) == 3


async def test_a_query_about_a_child_brings_the_token_of_its_own_last_command():
    api = Api(accepted("old"), accepted("new"), httpx2.Response(200, json={}))
    async with api.client() as client:
        await client.update_child_profile("mia", age=5)
        await client.update_child_profile("mia", age=6)
        await client.get_child_profile("mia")

    asked = api.requests[-1].headers
    assert asked["Consistency-Token"] == "new"
    assert asked["Prefer"] == "wait=10"
    api = Api(accepted(), httpx2.Response(200, json={}))
    async with api.client() as client:
        await client.update_child_profile("mia", age=5)
        await client.get_child_profile("noah")

    assert "Consistency-Token" not in api.requests[-1].headers


async def test_the_answer_to_a_repeated_key_does_not_replace_a_newer_token():
    api = Api(accepted_at(1), accepted_at(2), accepted_at(1), httpx2.Response(200, json={}))
    async with api.client() as client:
        await client.register_child("Mia", 5, "udid-0000001", idempotency_key="once-only")
        await client.update_child_profile("mia", age=6)
        await client.register_child("Mia", 5, "udid-0000001", idempotency_key="once-only")
        await client.get_child_profile("mia")

    assert api.requests[-1].headers["Consistency-Token"] == "at-2"


async def test_an_id_stays_one_segment_of_the_path():
    api = Api(accepted(), httpx2.Response(200, json={}))
    async with api.client() as client:
        await client.end_conversation("mia", "a/b?c")
        await client.get_children_by_parent("login|a/b?x#y")

    assert [request.url.raw_path for request in api.requests] == [
        b"/v1/children/mia/conversations/a%2Fb%3Fc/end",
        b"/v1/parents/login%7Ca%2Fb%3Fx%23y/children?limit=20",
    ]


async def test_a_conversation_may_have_an_id_that_the_caller_chose():
    api = Api(accepted(), accepted())
    async with api.client() as client:
        await client.start_conversation("mia", "space", conversation_id="chosen")
        await client.start_conversation("mia")

    bodies = [orjson.loads(request.content) for request in api.requests]
    assert bodies == [{"topic": "space", "conversation_id": "chosen"}, {}]


async def test_a_query_about_many_brings_the_newest_token():
    api = Api(accepted(), httpx2.Response(200, json={"items": [], "next_cursor": None}))
    async with api.client() as client:
        await client.deactivate_child("mia", "holiday")
        await client.search_children(name="mi", age_min=None)

    assert api.requests[-1].headers["Consistency-Token"] == "token-of-mia"
    assert dict(api.requests[-1].url.params) == {"name": "mi"}


async def test_a_problem_names_the_fields_and_a_refusal_without_a_document_is_one_too():
    body = {
        "code": "invalid-request",
        "detail": "See errors.",
        "errors": [{"field": "age", "message": "must be between 3 and 12", "limit": "3..12"}],
    }
    api = Api(httpx2.Response(422, json=body))
    async with api.client() as client:
        with pytest.raises(TeddyProblem, match="age must be between 3 and 12") as refused:
            await client.register_child("Mia", 2, "udid-0000001")

    assert refused.value.errors[0]["limit"] == "3..12"
    api = Api(httpx2.Response(502, text="bad gateway"))
    async with api.client() as client:
        with pytest.raises(TeddyProblem, match="bad gateway"):
            await client.get_system_analytics()


async def test_days_of_the_system_are_asked_for_by_their_parameters():
    api = Api(httpx2.Response(200, json={"days": []}))
    async with api.client() as client:
        assert await client.get_system_series("2026-11-01") == {"days": []}
    (sent,) = api.requests
    assert (sent.url.path, dict(sent.url.params)) == ("/v1/system/series", {"from": "2026-11-01"})


async def test_each_api_is_asked_for_its_own_recent_requests():
    api = Api(*(httpx2.Response(200, json={"requests": 7}) for _ in range(2)))
    async with api.client() as client:
        assert await client.get_recent_requests() == {"requests": 7}
        assert await client.get_recent_commands() == {"requests": 7}
    assert [one.url.path for one in api.requests] == ["/v1/system/requests"] * 2
    of_queries, of_commands = (one.url.host for one in api.requests)
    assert of_queries != of_commands


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get_system_status", "/v1/system/status"),
        ("get_system_processes", "/v1/system/processes"),
        ("get_system_protection", "/v1/system/protection"),
        ("get_recent_requests", "/v1/system/requests"),
        ("get_cache_statistics", "/v1/cache"),
    ],
)
async def test_the_state_of_the_system_waits_for_no_childs_read_models(method: str, path: str):
    # given a client that remembers what it wrote
    api = Api(accepted(), httpx2.Response(200, json={"findings": []}))
    async with api.client() as client:
        await client.reactivate_child("mia")
        # when
        assert await getattr(client, method)() == {"findings": []}
    # then
    _, sent = api.requests
    assert sent.url.path == path
    assert "Consistency-Token" not in sent.headers


async def test_sql_is_sent_as_it_is_and_its_rows_come_with_their_columns():
    rows = {"columns": [{"name": "n", "type": "BIGINT"}], "rows": [[7]], "truncated": False}
    api = Api(httpx2.Response(200, json={**rows, "as_of": None}))
    async with api.client() as client:
        found = await client.sql("SELECT 7 AS n", max_rows=5)
    assert (found["rows"], found["columns"][0]["name"], found["as_of"]) == ([[7]], "n", None)
    (sent,) = api.requests
    assert (sent.method, sent.url.path) == ("POST", "/v1/sql")
    assert orjson.loads(sent.content) == {"sql": "SELECT 7 AS n", "max_rows": 5}


async def test_pages_are_followed_to_the_last():
    pages = [
        {"items": [{"child_id": "a"}, {"child_id": "b"}], "next_cursor": "page-2"},
        {"items": [{"child_id": "c"}], "next_cursor": None},
    ]
    api = Api(*(httpx2.Response(200, json=page) for page in pages))
    async with api.client() as client:
        found = [child["child_id"] async for child in client.all_children(status="active")]

    assert found == ["a", "b", "c"]
    assert api.requests[1].url.params["cursor"] == "page-2"


async def test_a_family_is_followed_to_its_last_child():
    pages = [
        {"children": [{"child_id": "a"}, {"child_id": "b"}], "next_cursor": "page-2"},
        {"children": [{"child_id": "c"}], "next_cursor": None},
    ]
    api = Api(*(httpx2.Response(200, json=page) for page in pages))
    async with api.client() as client:
        found = [child["child_id"] async for child in client.whole_family("weiss")]

    assert found == ["a", "b", "c"]
    assert dict(api.requests[1].url.params) == {"limit": "100", "cursor": "page-2"}


async def test_what_there_is_of_a_child_comes_in_pages():
    api = Api(*(httpx2.Response(200, json={"next_cursor": None}) for _ in range(2)))
    async with api.client() as client:
        await client.get_child_safety_report("mia", since="2026-11-01", limit=9, cursor="here")
        await client.get_child_conversations("mia", cursor="there")

    report, conversations = (request.url for request in api.requests)
    assert report.path == "/v1/children/mia/safety-report"
    assert dict(report.params) == {"from": "2026-11-01", "limit": "9", "cursor": "here"}
    assert conversations.path == "/v1/children/mia/conversations"
    assert dict(conversations.params) == {"limit": "50", "cursor": "there"}


async def test_the_history_of_consents_is_asked_for_in_pages():
    api = Api(httpx2.Response(200, json={"items": [], "next_cursor": None}))
    async with api.client() as client:
        found = await client.get_child_consents("mia", limit=7, cursor="c")
    (sent,) = api.requests
    assert (sent.url.path, sent.url.query) == ("/v1/children/mia/consents", b"limit=7&cursor=c")
    assert found["items"] == []


async def test_a_command_without_a_method_of_its_own_is_sent_as_any_other():
    api = Api(accepted(), httpx2.Response(200, json={"child_id": "mia"}))
    async with api.client() as client:
        await client.send("PUT", "/v1/children/mia/nickname", {"nickname": "Bruno"})
        await client.get_child_profile("mia")

    command, query = api.requests
    assert (command.method, command.url.path) == ("PUT", "/v1/children/mia/nickname")
    assert orjson.loads(command.content) == {"nickname": "Bruno"}
    assert command.headers["Idempotency-Key"]
    assert query.headers["Consistency-Token"] == "token-of-mia"


async def test_health_never_raises():
    api = Api(
        httpx2.Response(200, json={"status": "ready", "dependencies": {}}),
        *(
            httpx2.Response(503, json={"status": "not_ready"}, headers={"Retry-After": "0"})
            for _ in range(4)
        ),
    )
    async with api.client() as client:
        health = await client.get_health_status()

    assert health["status"] == "not_ready"
    assert health["command"]["status"] == "ready"


async def test_who_watches_is_notified_of_every_exchange():
    seen: list[Observation] = []
    api = Api(httpx2.Response(200, json={}, headers={"X-Cache": "hit"}))
    async with api.client(seen.append) as client:
        await client.get_child_profile("mia")

    assert [(one.method, one.status, one.cached) for one in seen] == [("GET", 200, True)]


async def test_the_token_may_come_from_a_source():
    async def fresh() -> str:
        return "fresh-token"

    api = Api(httpx2.Response(200, json={"removed": 4}))
    transport = httpx2.MockTransport(api)
    async with TeddyClient("http://command", "http://query", fresh, transport=transport) as client:
        assert await client.clear_cache() == 4

    assert api.requests[0].headers["Authorization"] == "Bearer fresh-token"


async def test_every_command_goes_where_the_api_has_it():
    api = Api(*(accepted() for _ in range(10)))
    async with api.client() as client:
        await client.report_safety_violation("mia", "violence", "high", details="x")
        await client.resolve_safety_violation("mia", "v", "confirmed")
        await client.acknowledge_safety_violation("mia", "v")
        await client.configure_alerts("mia", "high", 3, 24, ["in_app"])
        await client.start_conversation("mia", "space")
        await client.record_message("mia", "c", "child", 5, topic="moon")
        await client.end_conversation("mia", "c")
        await client.reactivate_child("mia")
        await client.erase_child("mia")
        await client.deactivate_child("mia", "holiday")

    assert [(r.method, r.url.path.removeprefix("/v1/children/mia")) for r in api.requests] == [
        ("POST", "/safety-violations"),
        ("POST", "/safety-violations/v/resolution"),
        ("POST", "/safety-violations/v/acknowledgement"),
        ("PUT", "/alert-policy"),
        ("POST", "/conversations"),
        ("POST", "/conversations/c/messages"),
        ("POST", "/conversations/c/end"),
        ("POST", "/reactivation"),
        ("DELETE", "/personal-data"),
        ("POST", "/deactivation"),
    ]


async def test_an_answer_knows_how_old_it_is_and_what_no_query_returned_does_not():
    headers = {
        "X-As-Of": "2026-11-23T12:00:00.000Z",
        "Age": "3",
        "Cache-Status": "teddy-query; hit; detail=change-feed-down",
    }
    api = Api(httpx2.Response(200, json={"child_id": "mia"}, headers=headers))
    async with api.client() as client:
        profile = await client.get_child_profile("mia")

    assert dict(profile) == {"child_id": "mia"}
    assert freshness_of(profile) == Freshness("2026-11-23T12:00:00.000Z", 3, True, False)
    with pytest.raises(TypeError, match="only answers of TeddyClient queries"):
        freshness_of({"child_id": "mia"})


async def test_clients_that_share_what_they_saw_see_each_other_s_writes():
    shared = SeenWrites()
    api = Api(accepted("token-of-mia"), httpx2.Response(200, json={}))
    async with api.client(seen=shared) as parent, api.client(seen=shared) as bear:
        await parent.update_child_profile("mia", age=5)
        await bear.get_child_profile("mia")
    assert api.requests[1].headers["Consistency-Token"] == "token-of-mia"
