"""How much of the code a reader meets who follows one request to its end."""

import pytest

from tests.support.command_side import CommandSide
from tests.support.consents import CONSENTS
from tests.support.query_side import QuerySide, parent
from tests.support.short_ways import ProjectingWorker, Way, walked

# both with direct_routes.py, instead of the router and the wrappers of two libraries; bodies.py,
# which both APIs read with; recent_requests.py, which counts what both answer; and bears.py, for
# whoever may be one
REGISTRATION_FILES = 39
QUERY_FILES = 24
RECORD_FILES = 24
AROUND_A_ROUTE = ["Edge"]
AROUND_A_HANDLER = ["Pipeline"]

alone = pytest.mark.asyncio(loop_scope="function")
"""Timers that other tests left on their loop would be seen, too."""


@alone
async def test_from_a_registration_over_http_to_its_commit() -> None:
    # given a process that has served one
    side = CommandSide()
    async with side.client() as mother:
        await mother.register("TEDDY-0000-0001")
        body = {"name": "Ada", "age": 7, "udid": "TEDDY-0000-0002", "consents": CONSENTS}
        # when
        with walked() as way:
            answer = await mother.send("POST", "/children", body, key="registration-2")
    # then
    assert answer.status_code == 201
    assert len(way.files) <= REGISTRATION_FILES, _reported(way)


@alone
async def test_from_a_query_over_http_to_its_answer() -> None:
    # given two children, one of whom was asked for
    side = QuerySide()
    for child_id in ("lena", "mia"):
        await side.child(child_id, parent_id="parent-1")
    async with side.client(parent("parent-1")) as http:
        await http.get("/v1/children/lena")
        # when
        with walked() as way:
            answer = await http.get("/v1/children/mia")
    # then
    assert answer.status_code == 200
    assert len(way.files) <= QUERY_FILES, _reported(way)


@alone
async def test_from_a_record_of_kafka_to_its_write_into_the_read_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a worker that has projected one child's registration
    worker = ProjectingWorker(monkeypatch)
    await worker.carry_out(await worker.registration("lena"))
    record = await worker.registration("mia")
    # when
    with walked() as way:
        await worker.carry_out(record)
    # then
    assert worker.mongo.writes["children__g1"] == 2
    assert len(way.files) <= RECORD_FILES, _reported(way)


def test_two_wrappers_stand_around_a_handler_and_one_around_a_query() -> None:
    side = CommandSide()
    for app in (side.app, QuerySide().app):
        assert [each.cls.__name__ for each in app.user_middleware] == AROUND_A_ROUTE  # type: ignore[attr-defined]
    assert [type(each).__name__ for each in side.bus._middleware] == AROUND_A_HANDLER


def _reported(way: Way) -> str:
    return "\n".join([str(way), *sorted(way.files)])
