"""The access table: against the code that it rules, its page, odd subjects and forged tokens."""

import string
from urllib.parse import quote

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from deploy.checks.access_page import PAGE, with_table
from shared.auth.access import (
    ACCESS,
    Principal,
    Relation,
    Role,
    UnlistedOperation,
    is_subject,
    rule_of,
)
from shared.auth.keys import KeySet, KeysUnavailable
from tests.support.command_side import CommandSide
from tests.support.problem_documents import assert_problem, same_refusal
from tests.support.query_side import QuerySide
from tests.support.routes import DOCUMENTATION, OPERATORS, guarded, routes_of
from tests.support.tokens import FixedKeys, Forger, attacks

COMMAND_SIDE, QUERY_SIDE = CommandSide(), QuerySide()
APPS = [COMMAND_SIDE.app, QUERY_SIDE.app]


def test_the_page_shows_the_table_of_today():
    page = PAGE.read_text()
    assert with_table(page) == page, "run `python -m deploy.checks.access_page`"


def test_routes_and_buses_do_what_the_table_lists_and_anything_else_is_an_error():
    operations = {route.operation for app in APPS for route in guarded(app)}
    assert operations == set(ACCESS)
    commands = {each.command for each in COMMAND_SIDE.bus.handlers}
    queries = {each.query for each in QUERY_SIDE.service.edge.bus.handlers}
    assert commands | queries <= set(ACCESS)
    with pytest.raises(UnlistedOperation, match="SellChild has no row"):
        rule_of("SellChild")


def test_each_relation_is_given_only_to_the_role_that_it_is_about():
    for operation, rule in ACCESS.items():
        assert rule.parent in (Relation.OWN_FAMILY, Relation.NONE), operation
        assert rule.device in (Relation.OWN_BEAR, Relation.NONE), operation
        assert rule.analyst in (Relation.NUMBERS, Relation.NONE), operation
        for role in (Role.SAFETY_OFFICER, Role.ADMIN):
            assert rule.of(role) in (Relation.ALL, Relation.NUMBERS, Relation.NONE), operation


@pytest.mark.parametrize("app", APPS, ids=["command", "query"])
async def test_every_route_but_the_operators_and_the_documentation_asks_for_a_token(app: FastAPI):
    side = COMMAND_SIDE if app is COMMAND_SIDE.app else QUERY_SIDE
    async with side.bare_client() as client:
        for route in routes_of(app):
            path = route.path.replace("{", "").replace("}", "")
            answer = await client.request(route.method, path, json=route.body)
            if route.name in OPERATORS | DOCUMENTATION:
                assert answer.status_code == 200, route
            else:
                assert answer.status_code == 401, route
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert answer.json()["code"] == "unauthenticated"


CHARACTERS = [c for c in string.printable if is_subject(f"p{c}1")]
SUBJECTS = [f"p{c}1" for c in CHARACTERS] + [
    "auth0|5f7c",
    "a" * 128,
    "-",
    "%2F",
    "p%",
    "...",
    "a+b@c.d",
]


def test_visible_characters_but_slashes_may_stand_in_a_subject():
    assert set(CHARACTERS) == set(string.digits + string.ascii_letters + string.punctuation) - set(
        "/\\"
    )


async def test_a_parent_of_any_subject_reads_its_own_family():
    # given
    side = QuerySide()
    for number, subject in enumerate(SUBJECTS):
        await side.child(f"child-{number}", parent_id=subject)
        async with side.client(Principal(subject, Role.PARENT)) as client:
            # when
            family = await client.get(f"/v1/parents/{quote(subject, safe='')}/children")
            alerts = await client.get(f"/v1/parents/{quote(subject, safe='')}/alerts")
            # then
            assert (family.status_code, alerts.status_code) == (200, 200), subject
            assert [one["child_id"] for one in family.json()["children"]] == [f"child-{number}"]


async def test_a_parent_of_any_subject_registers_a_child_and_changes_it():
    # given
    side = CommandSide()
    for number, subject in enumerate(SUBJECTS):
        async with side.client(Principal(subject, Role.PARENT)) as mother:
            # when
            child_id = await mother.register(
                udid=f"TEDDY-{number:08}", device_id=f"{number}{subject}"[:128]
            )
            changed = await mother.send("PATCH", f"/children/{child_id}/profile", {"age": 8})
            # then
            assert changed.status_code == 200, subject


NAMES = list(attacks(Forger(Ed25519PrivateKey.generate(), "issuer", "audience")))
PATHS = {"command": "/v1/commands", "query": "/v1/queries"}


class Target:
    def __init__(self, api: str) -> None:
        self.side = CommandSide() if api == "command" else QuerySide()
        self.forger = self.side.forger
        self.attacks = attacks(self.forger)
        self._path = PATHS[api]

    async def ask(self, offered: list[str]) -> httpx2.Response:
        headers = [(b"Authorization", value.encode("latin-1")) for value in offered]
        async with self.side.bare_client() as client:
            return await client.get(self._path, headers=headers)


@pytest.fixture(scope="module", params=list(PATHS))
def target(request: pytest.FixtureRequest) -> Target:
    return Target(request.param)


@pytest.mark.parametrize("name", NAMES)
async def test_a_forged_token_is_refused_as_none_at_all(target: Target, name: str):
    without = await target.ask([])
    answer = await target.ask(target.attacks[name])
    assert answer.status_code == 401, name
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert same_refusal(answer, without)


async def test_the_token_that_the_forgeries_are_made_from_is_good(target: Target):
    # or else every forgery would be refused for another reason than its own
    for good in (
        target.forger.token(),
        target.forger.token({"typ": None}),
        target.forger.token({"typ": "at+jwt"}),
        target.forger.token({"x5t": "thumbprint"}),
        target.forger.token(aud=[target.forger.audience, "another"]),
    ):
        for scheme in ("Bearer", "bearer", "BEARER"):
            assert (await target.ask([f"{scheme} {good}"])).status_code == 200


async def test_a_token_is_good_for_its_own_role_only(target: Target):
    answer = await target.ask([f"Bearer {target.forger.token(role='parent')}"])
    assert answer.status_code == 403


async def test_while_no_key_can_be_had_tokens_are_not_refused_but_unjudged(
    target: Target, monkeypatch: pytest.MonkeyPatch
):
    async def unavailable(_: FixedKeys) -> KeySet:
        raise KeysUnavailable

    monkeypatch.setattr(FixedKeys, "current", unavailable)
    answer = await target.ask([f"Bearer {target.forger.token()}"])
    assert_problem(answer, 503, "token-keys-unavailable")
    assert answer.headers["Retry-After"] == "5"
