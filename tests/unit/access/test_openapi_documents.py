"""The OpenAPI documents of both APIs: all is described, and each link leads where it says."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from command_service.api.openapi import LINKS as OF_COMMANDS
from query_service.api.app import LINKS as OF_QUERIES
from query_service.queries.answers import FIELDS
from shared.auth.access import Principal, Role, operation_of
from shared.clock import new_id
from shared.http.openapi import Link, reference
from tests.support.both_apis import BothApis
from tests.support.command_side import ADMIN, QUERY_URL, CommandSide
from tests.support.query_side import QuerySide
from tests.support.routes import Route, routes_of
from tests.support.runtime_expressions import Exchange, Unresolved

DOCUMENTS: dict[str, dict[str, Any]] = {
    "command": CommandSide().app.openapi(),
    "query": QuerySide().app.openapi(),
}
EACH = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)


def _fields(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for model, schema in document["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            yield model, name, field


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


@EACH
def test_every_field_of_every_model_is_described(document: dict[str, Any]):
    undescribed = [f"{model}.{name}" for model, name, f in _fields(document) if not _says(f)]
    assert undescribed == []
    assert len(list(_fields(document))) > 40


@EACH
def test_every_operation_and_every_parameter_is_described(document: dict[str, Any]):
    undescribed = [
        f"{name} {part.get('name', '')}"
        for name, operation in _operations(document)
        for part in (operation, *operation.get("parameters", ()))
        if not _says(part)
    ]
    assert undescribed == []


def test_nothing_in_the_glossary_is_said_for_nobody():
    said = {
        name for _, name, f in _fields(DOCUMENTS["query"]) if f["description"] == FIELDS.get(name)
    }
    assert said == set(FIELDS)


@pytest.mark.parametrize("model", ["Registration", "ProfileChanges", "ChildProfile"])
def test_device_id_is_the_subject_of_the_bear_s_token(model: str):
    reported = [
        f for d in DOCUMENTS.values() for m, name, f in _fields(d) if (m, name) == (model, ID)
    ]
    assert [field["description"].startswith(SUBJECT) for field in reported] == [True]


def test_what_a_registration_needs_is_required_of_it():
    registration = DOCUMENTS["command"]["components"]["schemas"]["Registration"]
    assert set(registration["required"]) == {"name", "age", "udid", "consents"}


ID, SUBJECT = "device_id", "The subject of the bear's token"


def _says(part: dict[str, Any]) -> bool:
    return len(part.get("description", "")) >= len("Sums.")


APIS = BothApis()
COMMANDS, QUERIES = APIS.commands.app, APIS.queries.app
ROUTES: dict[str, Route] = {
    f"{route.method} {route.path}": route for app in (COMMANDS, QUERIES) for route in routes_of(app)
}
FOLLOWED: list[tuple[str, Link]] = [
    (source, link)
    for links in (OF_COMMANDS, OF_QUERIES)
    for source, follow in links.items()
    for link in follow
]
LINKS = [pytest.param(*each, id=f"{each[0]} -> {each[1].name}") for each in FOLLOWED]
PAGED = (
    "SearchChildren",
    "GetAlerts",
    "GetChildrenByParent",
    "GetChildSafetyReport",
    "GetChildConversations",
    "GetChildConsents",
    "GetSafetyViolations",
)
BY_THE_PARENT = "AcknowledgeSafetyViolation"


class Family:
    """Two children of one parent; the second has a conversation, two violations, their alerts."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._mother = Principal(new_id(), Role.PARENT)
        self.ids: dict[str, str] = {"parent_id": self._mother.subject, "purpose": "personalization"}

    async def settle(self) -> None:
        await self.ask("POST /v1/children")
        first = (await self.ask("POST /v1/children")).answer.json()
        self.ids["child_id"] = first["child_id"]
        talk = await self.ask("POST /v1/children/{child_id}/conversations")
        self.ids["conversation_id"] = talk.answer.json()["conversation_id"]
        for _ in range(2):
            await self.ask("POST /v1/children/{child_id}/conversations")
            report = await self.ask("POST /v1/children/{child_id}/safety-violations")
            self.ids["violation_id"] = report.answer.json()["violation_id"]

    async def ask(self, operation: str, **given: str) -> Exchange:
        """With the documented example of a body, and one item a page."""
        route, ids = ROUTES[operation], {**self.ids, **given}
        if route.operation == "ReactivateChild" and "child_id" not in given:
            await self.ask("POST /v1/children/{child_id}/deactivation")
        if route.operation == "ReopenSafetyViolation" and "child_id" not in given:
            path = "/v1/children/{child_id}/safety-violations/{violation_id}/resolution"
            await self.ask(f"POST {path}")
        path = route.path.format_map(ids)
        caller = self._mother if route.operation == BY_THE_PARENT else ADMIN
        headers = {"Authorization": APIS.bearer(caller, route.method, path)}
        query = {"limit": "1"} if route.operation in PAGED else {}
        for name, value in given.items():
            where, _, bare = name.partition(".")
            if bare:
                {"header": headers, "query": query}[where][bare] = value
        answer = await self._client.request(
            route.method, path, params=query, headers=headers, json=self._body(route)
        )
        assert answer.is_success, f"{operation}: {answer.text}"
        return Exchange(ids, answer)

    def _body(self, route: Route) -> Any:
        if route.operation == "StartConversation":
            return {}  # its example names a conversation, and one id is for one only
        own = {"udid": new_id(), "device_id": new_id(), "parent_id": self._mother.subject}
        body = route.body
        return body and body | {name: own[name] for name in own.keys() & body.keys()}


@pytest.fixture
async def family() -> AsyncIterator[Family]:
    transport = httpx2.ASGITransport(APIS)
    async with httpx2.AsyncClient(transport=transport, base_url="http://both") as client:
        family = Family(client)
        await family.settle()
        yield family


@pytest.mark.parametrize(("source", "link"), LINKS)
async def test_what_a_link_says_resolves_on_a_real_answer_and_leads_there(
    family: Family, source: str, link: Link
):
    exchange = await family.ask(source)
    given = {name: exchange.resolve(what) for name, what in link.parameters.items()}
    followed = await family.ask(link.target, **given)
    assert followed.answer.is_success


@pytest.mark.parametrize(("source", "link"), LINKS)
def test_the_target_exists_takes_these_parameters_and_is_named_as_its_operation(
    source: str, link: Link
):
    # given
    app = QUERIES if link.elsewhere or source.startswith("GET") else COMMANDS
    method, path = link.target.split()
    # when
    target = app.openapi()["paths"][path][method.lower()]
    # then
    taken = {(one["in"], one["name"]) for one in target["parameters"]}
    for name in link.parameters:
        where, _, bare = name.partition(".")
        assert ((where, bare) if bare else ("path", name)) in taken
    assert {name for place, name in taken if place == "path"} <= {*link.parameters, "purpose"}
    assert link.name == operation_of(ROUTES[link.target].name)


def test_the_document_of_the_command_api_says_where_the_query_api_is():
    (success,) = (s for s in _responses(COMMANDS, "/v1/children", "post") if s.startswith("2"))
    links = _responses(COMMANDS, "/v1/children", "post")[success]["links"]
    profile = reference("GET /v1/children/{child_id}", QUERY_URL)
    assert links["GetChildProfile"]["operationRef"] == profile
    assert profile == f"{QUERY_URL}/openapi.json#/paths/~1v1~1children~1{{child_id}}/get"


def test_where_nobody_said_where_the_query_api_is_no_link_leads_there():
    app = CommandSide(query_url=None).app
    links = _responses(app, "/v1/children", "post")["201"]["links"]
    assert "GetChildProfile" not in links
    assert links["StartConversation"]["operationRef"].startswith("#/paths/")


def test_every_link_is_in_a_document():
    reported = {
        (f"{method.upper()} {path}", name)
        for path, operations in APIS.document["paths"].items()
        for method, operation in operations.items()
        for response in operation["responses"].values()
        for name in response.get("links", ())
    }
    assert reported == {(source, link.name) for source, link in FOLLOWED}


def test_an_expression_that_names_nothing_is_found():
    # or else nothing above could fail
    exchange = Exchange({}, httpx2.Response(200, json={"items": []}))
    for expression in ("$response.body#/items/0/child_id", "$request.path.child_id", "$url"):
        with pytest.raises(Unresolved):
            exchange.resolve(expression)


def _responses(app: Any, path: str, method: str) -> dict[str, Any]:
    responses: dict[str, Any] = app.openapi()["paths"][path][method]["responses"]
    return responses
