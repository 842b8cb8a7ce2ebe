"""Whatever is sent to both APIs, in whichever field: it is refused in the house's words."""

import re
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core._pydantic_core import list_all_errors

from query_service.api import parameters
from query_service.api.parameters import Parameters
from shared.http.secure_headers import SECURE_HEADERS
from tests.support import command_side, query_side
from tests.support.command_side import ADMIN, CommandSide
from tests.support.consents import CONSENTS, REGISTRATION
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN as ASKER
from tests.support.query_side import QuerySide, parent
from tests.support.refused_requests import BAD_REQUESTS, Header, asked
from tests.support.routes import Route, guarded

METHODS = ("GET", "POST", "DELETE")


@pytest.fixture(params=["command", "query"])
def app(request: pytest.FixtureRequest) -> FastAPI:
    return CommandSide().app if request.param == "command" else QuerySide().app


@pytest.mark.parametrize(("target", "headers", "status", "code"), BAD_REQUESTS)
async def test_what_can_be_read_in_two_ways_is_refused(
    app: FastAPI, target: str, headers: list[Header], status: int, code: str
):
    for method in METHODS:
        # when
        answer = await asked(app, method, target, headers)
        # then
        reported, sent, body = answer
        problem = orjson.loads(body)
        assert (reported, problem["code"]) == (status, code)
        assert sent["content-type"] == "application/problem+json"
        assert problem["correlation_id"] == sent["correlation-id"]
        assert problem["errors"]


async def test_every_answer_carries_the_secure_headers_and_names_no_server(app: FastAPI):
    for method, path in (
        ("GET", "/health/live"),
        ("GET", "/nowhere"),
        ("GET", "/v1/children/x"),
        ("POST", "/v1/children"),
        ("GET", "/v1/children/%2f"),
    ):
        _, sent, _ = await asked(app, method, path, ())

        assert {name: sent[name.lower()] for name in SECURE_HEADERS} == SECURE_HEADERS
        assert sent["cache-control"] == "no-store"
        assert "server" not in sent
        assert "strict-transport-security" not in sent


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/v1/children/", "/health/live/", "/v1/parents/weiss/children/"])
async def test_nobody_is_sent_elsewhere(app: FastAPI, method: str, path: str):
    # a redirect would go to whatever `Host` says, and a client would take its body there
    status, sent, _ = await asked(app, method, path, [(b"host", b"evil.example")])

    assert status in (404, 405, 401)
    assert "location" not in sent


async def test_no_other_site_is_let_in(app: FastAPI):
    origin = [(b"origin", b"https://evil.example"), (b"access-control-request-method", b"GET")]

    status, sent, _ = await asked(app, "OPTIONS", "/v1/children", origin)

    assert status == 405
    assert not [name for name in sent if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/children?name[$ne]=x", "name[$ne]"),
        ("/v1/children?$where=1", "$where"),
        ("/v1/children?parent_id[$gt]=", "parent_id[$gt]"),
        ("/v1/children/lena?version=1", "version"),
        ("/v1/parents/weiss/children?$expr=1", "$expr"),
        ("/v1/system/analytics?role=admin", "role"),
        ("/v1/cache?x=1", "x"),
        ("/v1/children/le@na", "child_id"),
        ("/v1/children/le%20na", "child_id"),
        ("/v1/children/l%D0%B5na", "child_id"),  # a Cyrillic letter that looks like an e
        ("/v1/children/" + "a" * 65, "child_id"),
        ("/v1/parents/w%C3%A4iss/children", "parent_id"),
    ],
)
async def test_operators_and_odd_ids_are_named_and_not_asked_for(path: str, field: str):
    side = QuerySide()
    await side.child("lena")
    answer = await side.get(path, ASKER)
    assert_problem(answer, 422, "invalid-request", field)
    assert side.store.reads == 0


@pytest.mark.parametrize("pattern", [".*", "^L", "Le.*", "(L|M)ena", "L\\w+", "%", "{$gt: 1}"])
async def test_a_search_takes_letters_and_no_patterns(pattern: str):
    # given
    side = QuerySide()
    await side.child("lena", name="Lena Weiss", parent_id="weiss")
    async with side.client(parent("weiss")) as client:
        # when
        answer = await client.get("/v1/children", params={"name": pattern})
    # then
    found = answer.json().get("items", [])
    assert answer.status_code in {200, 422}
    assert not found or pattern == "Le.*"  # which is the word `Le`, and nothing else


OF_ALL = b'"consents":%s}' % orjson.dumps(CONSENTS)
DEEP = b'{"name":"Ada","age":7,"udid":"TEDDY-0000-0001","preferences":%s%s}'
BODIES: list[tuple[bytes, int, str]] = [
    (b'{"name":{"$gt":""},"age":7,"udid":"TEDDY-0000-0001"}', 422, "name"),
    (b'{"name":"Ada","age":{"$gt":1},"udid":"TEDDY-0000-0001"}', 422, "age"),
    (b'{"name":"Ada","age":7,"udid":"TEDDY-0000-0001","$where":"1"}', 422, "$where"),
    (b'{"name":"Ada","age":7,"udid":"TEDDY-0000-0001","version":9}', 422, "version"),
    (b'{"name":"Ada","age":7,"udid":"TEDDY-0000-0001","status":"erased"}', 422, "status"),
    (b'{"name":"Ada","name":"Eve","age":7,"udid":"TEDDY-0000-0001"}', 400, "body"),
    (b'{"name":"Ada","age":NaN,"udid":"TEDDY-0000-0001"}', 400, "body"),
    (b'{"name":"Ada","age":Infinity,"udid":"TEDDY-0000-0001"}', 400, "body"),
    (b'{"name":"Ada","age":1e999,"udid":"TEDDY-0000-0001"}', 422, "age"),
    (b'{"name":"Ada","age":' + b"9" * 400 + b',"udid":"TEDDY-0000-0001",' + OF_ALL, 422, "age"),
    (b'{"name":"Ada","age":' + b"9" * 9_999 + b',"udid":"TEDDY-0000-0001"}', 400, "body"),
    (DEEP % (b"[" * 17, b"]" * 17), 400, "body"),
    (DEEP % (b'{"a":' * 12, b"}" * 12), 400, "body"),
    (b"[" * 60_000, 400, "body"),
    (b'{"name":"\\ud800Ada","age":7,"udid":"TEDDY-0000-0001"}', 400, "body"),
    (b'{"name":"Ada\xff","age":7,"udid":"TEDDY-0000-0001"}', 400, "body"),
    ('{"name":"A\u202eda","age":7,"udid":"TEDDY-0000-0001",'.encode() + OF_ALL, 422, "name"),
    ('{"name":"A\u200bda","age":7,"udid":"TEDDY-0000-0001",'.encode() + OF_ALL, 422, "name"),
    ('{"name":"Ada","age":7,"udid":"TEDDY-0000-\ufeff0001",'.encode() + OF_ALL, 422, "udid"),
    ("\ufeff{}".encode(), 400, "body"),
    ("{}".encode("utf-16"), 400, "body"),
    (b"null", 422, "body"),
    (b'["name"]', 422, "body"),
]


@pytest.mark.parametrize(("raw", "status", "field"), BODIES)
async def test_a_body_with_two_meanings_or_more_than_asked_for_is_refused(
    raw: bytes, status: int, field: str
):
    # given
    side = CommandSide()
    async with side.client(ADMIN) as client:
        # when
        answer = await client.send("POST", "/children", raw=raw)
    # then
    code = "invalid-json" if status == 400 else "invalid-request"
    problem = assert_problem(answer, status, code)
    assert field in [error["field"] for error in problem["errors"]]
    assert await side.stored_events() == []


@pytest.mark.parametrize("field", ["version", "parent_id", "child_id", "status", "udid", "_id"])
async def test_an_update_assigns_only_what_is_meant_to_be_changed(field: str):
    side = CommandSide()
    async with side.client() as mother:
        child_id = await mother.register()
        answer = await mother.send("PATCH", f"/children/{child_id}/profile", {field: "x"})
    assert_problem(answer, 422, "invalid-request", field)
    assert await side.stored_events() == [*REGISTRATION]


@pytest.mark.parametrize("name", ["محمد علي", "שָׁרָה לוי", "Zoë", "小熊", "देवी", "O\u2019Neill"])
async def test_names_of_all_scripts_are_welcome(name: str):
    side = CommandSide()
    async with side.client() as mother:
        body: dict[str, Any] = {
            "name": name,
            "age": 7,
            "udid": "TEDDY-0000-0001",
            "consents": CONSENTS,
        }

        assert (await mother.send("POST", "/children", body)).status_code == 201


async def test_a_composed_and_a_decomposed_name_are_the_same():
    side = CommandSide()
    async with side.client() as mother:
        child_id = await mother.register(name="Zoe\u0308")

        again = await mother.send("PATCH", f"/children/{child_id}/profile", {"name": "Zoë"})

    assert again.json()["events"] == []


HOUSE = re.compile(r"required|unknown (field|parameter)|(must|give|not a) .+")
FOREIGN = [
    re.compile(re.sub(r"\\\{\w+\\\}", ".*", re.escape(error["message_template_python"])))
    for error in list_all_errors()
    if error["type"] not in ("value_error", "assertion_error")
]
COMMANDS, QUERIES = CommandSide(), QuerySide()
COMMAND_API, QUERY_API = TestClient(COMMANDS.app), TestClient(QUERIES.app)
ID = "0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f"
IDS = dict.fromkeys(("child_id", "parent_id", "conversation_id", "violation_id"), ID)
IDS["purpose"] = "account"

WITH_BODY = [route for route in guarded(COMMANDS.app) if route.body]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
LENA = "/v1/children/lena"
QUERY_PATHS = [
    f"{LENA}/safety-report",
    f"{LENA}/conversations",
    f"{LENA}/analytics",
    f"{LENA}/series",
    f"{LENA}/consents",
    "/v1/children",
]
NAMES = sorted(
    {
        field.alias or name
        for model in vars(parameters).values()
        if isinstance(model, type) and issubclass(model, Parameters)
        for name, field in model.model_fields.items()
    }
)
SOME = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def _assert_worded_here(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code != 422:
        return
    for error in answer.json().get("errors", ()):
        message = error["message"]
        assert HOUSE.fullmatch(message), message
        assert not any(foreign.fullmatch(message) for foreign in FOREIGN), message
        limit = error.get("limit", "")
        assert not re.match(r"(ge|gt|le|lt|min_length|max_length|expected|pattern) ", limit), limit


@pytest.mark.parametrize("route", WITH_BODY, ids=str)
@SOME
@given(data=st.data())
def test_fields_of_commands(route: Route, data: st.DataObject):
    # given a good body of which one field is anything, or gone
    assert route.body is not None
    name = data.draw(st.sampled_from([*route.body, "unheard_of"]))
    body = {**route.body, name: data.draw(VALUES)}
    if data.draw(st.booleans()):
        del body[name]
    # when
    headers = {"Authorization": COMMANDS.bearer(command_side.ADMIN)}
    answer = COMMAND_API.request(
        route.method, route.path.format_map(IDS), json=body, headers=headers
    )
    # then
    _assert_worded_here(answer)


@pytest.mark.parametrize("path", QUERY_PATHS)
@SOME
@given(name=st.sampled_from([*NAMES, "unheard_of"]), value=st.text(max_size=140) | st.integers())
def test_parameters_of_queries(path: str, name: str, value: object):
    query = f"{name}={quote(str(value).encode('utf-8', 'replace'), safe='')}"

    answer = QUERY_API.get(f"{path}?{query}", headers=QUERIES.bearer(query_side.ADMIN))

    _assert_worded_here(answer)


@pytest.mark.parametrize("value", ["l%C3%A9na", "a.b", "a" * 65])
def test_ids_in_paths_are_refused_in_the_same_words_by_both_apis(value: str):
    asked = QUERY_API.get(f"/v1/children/{value}", headers=QUERIES.bearer(query_side.ADMIN))
    headers = {"Authorization": COMMANDS.bearer(command_side.ADMIN)}
    reported = COMMAND_API.post(f"/v1/children/{value}/reactivation", headers=headers)
    assert (asked.status_code, reported.status_code) == (422, 422)
    assert asked.json()["errors"] == reported.json()["errors"]


def test_every_model_of_parameters_is_asked_for():
    assert {"from", "to", "period_days", "limit", "cursor", "name", "status"} <= set(NAMES)
