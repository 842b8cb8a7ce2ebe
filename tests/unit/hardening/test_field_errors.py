"""Whatever is sent to whichever field of both APIs: what is wrong is told in the house's words."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core._pydantic_core import list_all_errors

from query_service.api import parameters
from query_service.api.parameters import Parameters
from tests.support import command_side, query_side
from tests.support.command_side import CommandSide
from tests.support.query_side import QuerySide
from tests.support.routes import Route, guarded

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
def test_fields_of_commands(route: Route, data: st.DataObject) -> None:
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
def test_parameters_of_queries(path: str, name: str, value: object) -> None:
    query = f"{name}={quote(str(value).encode('utf-8', 'replace'), safe='')}"

    answer = QUERY_API.get(f"{path}?{query}", headers=QUERIES.bearer(query_side.ADMIN))

    _assert_worded_here(answer)


@pytest.mark.parametrize("value", ["l%C3%A9na", "a.b", "a" * 65])
def test_ids_in_paths_are_refused_in_the_same_words_by_both_apis(value: str) -> None:
    asked = QUERY_API.get(f"/v1/children/{value}", headers=QUERIES.bearer(query_side.ADMIN))
    headers = {"Authorization": COMMANDS.bearer(command_side.ADMIN)}
    told = COMMAND_API.post(f"/v1/children/{value}/reactivation", headers=headers)
    assert (asked.status_code, told.status_code) == (422, 422)
    assert asked.json()["errors"] == told.json()["errors"]


def test_every_model_of_parameters_is_asked_for() -> None:
    assert {"from", "to", "period_days", "limit", "cursor", "name", "status"} <= set(NAMES)
