"""The access table against the code that it rules, and against its page."""

import pytest
from fastapi import FastAPI

from deploy.checks.access_page import PAGE, with_table
from shared.auth.access import ACCESS, Relation, Role, UnlistedOperation, rule_of
from tests.support.command_side import CommandSide
from tests.support.query_side import QuerySide
from tests.support.routes import DOCUMENTATION, OPERATORS, guarded, routes_of

COMMAND_SIDE, QUERY_SIDE = CommandSide(), QuerySide()
APPS = [COMMAND_SIDE.app, QUERY_SIDE.app]


def test_the_page_shows_the_table_of_today():
    page = PAGE.read_text()
    assert with_table(page) == page, "run `python -m deploy.checks.access_page`"


def test_every_route_is_an_operation_of_the_table_and_every_operation_has_a_route():
    operations = {route.operation for app in APPS for route in guarded(app)}
    assert operations == set(ACCESS)


def test_everything_that_the_buses_do_is_in_the_table():
    commands = {each.command for each in COMMAND_SIDE.bus.handlers}
    queries = {each.query for each in QUERY_SIDE.service.edge.bus.handlers}
    assert commands | queries <= set(ACCESS)


def test_what_nobody_said_who_may_do_is_an_error():
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
