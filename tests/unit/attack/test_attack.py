"""`python -m tests.attack`: which rows its table has, and what a row tells of an answer."""

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from deploy.local.state import StackFolder, StackState
from deploy.local.supervisor import LIMITS_OF_ONE
from shared.clock import new_id
from shared.command_line import run_command
from shared.http.settings import Bounds
from tests.attack.__main__ import attack
from tests.attack.availability import ALLOWED
from tests.attack.row import (
    Answered,
    Broken,
    Deed,
    Expectation,
    NotDone,
    Refused,
    Request,
    Row,
    Seen,
    Wire,
)
from tests.attack.run import KINDS, Named, Outcome, all_rows, attempted, show
from tests.attack.stack import own_servers_only, usual_limits
from tests.attack.wire import Answer, parsed
from tests.attack.world import World
from tests.support.answering import answering
from tests.support.commands import called, started


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "sunshine"], "no attack 'sunshine'"),
        (["--selection", "some"], "'some' is not one of"),
    ],
)
async def test_what_cannot_be_meant_is_one_line_and_exit_code_2(arguments: list[str], said: str):
    refused = await called(partial(run_command, attack, "attack"), arguments, os.environ)

    assert refused.code == 2
    assert said in refused.err
    assert len(refused.err.splitlines()) == 1


async def test_every_row_can_be_listed():
    listed = await started("tests.attack", ["--list"], os.environ)

    assert listed.code == 0
    names = [line.split()[0] for line in listed.out.splitlines()]
    assert names == [one.name for one in all_rows()]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kind_can_be_chosen(kind: str):
    listed = await called(
        partial(run_command, attack, "attack"), ["--list", "--case", kind], os.environ
    )

    assert {line.split("/")[0] for line in listed.out.splitlines()} == {kind}
    assert len(listed.out.splitlines()) == len(KINDS[kind])


def test_servers_that_the_environment_names_are_left_alone():
    # given
    environment = {
        "TEDDY_WRITE_MONGO_URL": "mongodb://of-somebody/",
        "TEDDY_KAFKA_BOOTSTRAP": "of-somebody:9092",
        "TEDDY_LOG_LEVEL": "INFO",
    }
    # when
    foreign = own_servers_only(environment)
    # then
    assert foreign == ["TEDDY_WRITE_MONGO_URL", "TEDDY_KAFKA_BOOTSTRAP"]
    assert environment == {"TEDDY_LOG_LEVEL": "INFO"}


def test_what_is_attacked_has_the_limits_that_operators_get():
    # not those of a local stack, to which few subjects send everything
    limits = usual_limits()

    assert limits.keys() == LIMITS_OF_ONE.keys()
    assert limits["TEDDY_RATE_LIMIT_REGISTRATION"] == f"{ALLOWED}/hour"
    assert limits["TEDDY_SUBJECT_SHARE"] == str(Bounds().subject_share)


def test_the_table_tells_what_held_and_what_did_not(capsys: pytest.CaptureFixture[str]):
    # given
    held = Outcome("keys/a", "tries", "expects", Seen(True, "was refused"), 0.1)
    broken = Outcome("keys/b", "tries", "expects", Seen(False, "[bold]opened[/]"), 0.2)
    # when
    show([held, broken], 12.0)
    # then
    said = capsys.readouterr().out
    rows = [line for line in said.splitlines() if "keys/" in line]
    assert ["holds" in row for row in rows] == [True, False]
    assert "BROKEN" in rows[1]
    assert "[bold]opened[/]" in rows[1]
    assert "2 attacks in 12 s, 1 not refused or not bounded" in said


WORDS = {"name": "Kanari1", "udid": "TEDDY-KANARI-1"}
PROBLEM = (
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\n\r\n"
    b'{"type":"urn:teddy:problem:child-not-found","status":404,"code":"child-not-found"}'
)
LEAK = PROBLEM.replace(b'"status"', b'"detail":"no Kanari1","status"')
FOUND = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"name":"Kanari1"}'
NOTHING = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"items":[]}'
ELSEWHERE = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://evil.example/\r\n\r\n"
POINTING = PROBLEM.replace(b"\r\n\r\n", b"\r\nlocation: /x\r\n\r\n")
NOT_FOUND = Refused(404, "child-not-found")


@pytest.mark.parametrize(
    ("expected", "received", "holds"),
    [
        (NOT_FOUND, PROBLEM, True),
        (NOT_FOUND, FOUND, False),
        (NOT_FOUND, LEAK, False),
        (NOT_FOUND, PROBLEM.replace(b"problem+json", b"json"), False),
        (NOT_FOUND, PROBLEM.replace(b"problem:child-not-found", b"problem:other"), False),
        (Refused(404, "parent-not-found"), PROBLEM, False),
        (Refused(403, "child-not-found"), PROBLEM, False),
        (NOT_FOUND, b"", False),
        (Answered(), NOTHING, True),
        (Answered(), FOUND, False),
        (Answered(), PROBLEM, False),
        (Answered(of_the_family=True), FOUND, True),
        (NotDone(), PROBLEM, True),
        (NotDone(), NOTHING, False),
        (NotDone(), ELSEWHERE, False),
        (NotDone(), POINTING, False),
        (NotDone(), PROBLEM + NOTHING, False),
        (NotDone(), PROBLEM + PROBLEM, False),
        (NotDone(), b"", False),
    ],
)
def test_an_answer_is_as_expected_or_the_attack_is_reported_as_broken(
    expected: Expectation, received: bytes, holds: bool
):
    assert expected.holds(parsed(received), WORDS) is holds


def test_what_came_back_is_counted_and_told():
    both = parsed(PROBLEM + NOTHING)

    assert (both.status, both.code, both.status_lines) == (404, "child-not-found", 2)
    assert str(both) == "404 child-not-found, 2 answers"
    assert str(parsed(b"")) == "closed without an answer"
    assert str(Answer(200, {}, b"", 1, 0.0)) == "200"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One of nobody: rows send to whom a test puts in its place."""
    return World(StackFolder(tmp_path), StackState(), words={**WORDS, "child": new_id()})


@pytest.mark.parametrize(("answer", "holds"), [(PROBLEM, True), (FOUND, False)])
async def test_a_row_sends_its_request_and_judges_the_answer(
    world: World, answer: bytes, holds: bool
):
    # given
    world.bearers["stranger"] = "token"
    row = Request("a look", "GET /v1/children/$child", NOT_FOUND, "stranger")
    async with answering(answer) as server:
        world.state.ports["query"] = server.port
        # when
        seen = await row.attempt(world)
    # then
    assert seen.holds is holds
    assert server.received[0].startswith(f"GET /v1/children/{world.words['child']} HTTP/1".encode())
    assert b"\r\nAuthorization: Bearer token\r\n" in server.received[0]


async def test_bytes_are_sent_as_they_are(world: World):
    # given
    world.bearers["stranger"] = "token"
    row = Wire(
        "two lengths", b"POST / HTTP/1.1\r\nA: $bearer\r\n\r\n", NotDone(), caller="stranger"
    )
    async with answering(PROBLEM) as server:
        world.state.ports["command"] = server.port
        # when
        seen = await row.attempt(world)
    # then
    assert seen.holds
    assert server.received == [b"POST / HTTP/1.1\r\nA: token\r\n\r\n"]


async def test_a_promise_of_time_is_broken_by_answers_that_are_all_late(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    # given
    monkeypatch.setattr("tests.attack.row.PROMISED_SECONDS", 0.0)
    row = Request("brackets", "GET /x", NOT_FOUND, promised=True)
    async with answering(PROBLEM) as server:
        world.state.ports["query"] = server.port
        # when
        seen = await row.attempt(world)
    # then
    assert not seen.holds
    assert len(server.received) == 3  # one may be late on a busy machine


async def _refuses(_: World) -> str:
    return "refused"


async def _opens(_: World) -> str:
    raise Broken("it opened")


async def _fails(_: World) -> str:
    raise ConnectionError("nobody there")


@pytest.mark.parametrize(
    ("does", "seen"),
    [
        (_refuses, Seen(True, "refused")),
        (_opens, Seen(False, "it opened")),
        (_fails, Seen(False, "ConnectionError: nobody there")),
    ],
)
async def test_a_deed_holds_only_when_it_says_what_was_seen(
    world: World, does: Callable[[World], Awaitable[str]], seen: Seen
):
    row = Deed("a deed", "", "", does)

    assert await attempted(world, Named("keys", row), 10.0) == seen


async def test_a_row_without_an_end_is_broken(world: World):
    # given one that is never answered
    async with answering(None) as server:
        world.state.ports["query"] = server.port
        row: Row = Request("silence", "GET /x", NOT_FOUND)
        seen = await attempted(world, Named("inputs", row), 0.05)
    assert seen == Seen(False, "no outcome in 0 s")


async def test_rows_that_the_time_was_over_for_are_not_taken_for_good(world: World):
    row = Deed("late", "", "", _refuses)

    assert not (await attempted(world, Named("keys", row), 0.0)).holds


def test_each_row_has_a_name_of_its_own_and_says_what_is_tried_and_expected():
    names = Counter(one.name for one in all_rows())

    assert [name for name, times in names.items() if times > 1] == []
    assert all(name.isascii() and " " not in name for name in names)
    silent = [one.name for one in all_rows() if not (one.row.tried and str(one.row.expected))]

    assert silent == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_short_selection_has_rows_of_each_kind(kind: str):
    assert any(row.ci for row in KINDS[kind])
