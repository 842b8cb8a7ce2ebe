"""`python -m tests.faults`: which cases it runs, what its history knows, and its report."""

import asyncio
import os
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.command_line import run_command
from tests.faults.__main__ import faults
from tests.faults.cases import CASES
from tests.faults.checker import Violation
from tests.faults.history import UNANSWERED, History, read_history
from tests.faults.report import BEGIN, END, PAGE, Row, measured_seconds, renew
from tests.faults.run import Outcome
from tests.faults.slices import slices_of, turn_of
from tests.support.commands import called, started


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "sunshine"], "no case 'sunshine'"),
        (["--seed", "many"], "'many' is not a valid integer"),
        (["--selection", "some"], "'some' is not one of"),
    ],
)
async def test_what_cannot_be_meant_is_one_line_and_exit_code_2(arguments: list[str], said: str):
    refused = await called(partial(run_command, faults, "faults"), arguments, os.environ)

    assert refused.code == 2
    assert said in refused.err
    assert len(refused.err.splitlines()) == 1


async def test_every_case_can_be_listed():
    listed = await started("tests.faults", ["--list"], os.environ)

    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == list(CASES)


LONGEST_SLICE_SECONDS = 330.0
SECONDS = measured_seconds(PAGE)
SLICES = slices_of(list(CASES.values()), SECONDS)

git = partial(subprocess.run, check=True, capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "repository"
    git(["git", "init", "--quiet", "--initial-branch=main", str(path)])
    return path


def commit(repository: Path) -> None:
    author = ["-c", "user.name=Mia", "-c", "user.email=mia@example.org"]
    git(["git", "-C", str(repository), *author, "commit", "--quiet", "--allow-empty", "-m", "one"])


def test_a_row_of_as_many_commits_as_there_are_slices_runs_every_case_once(repository: Path):
    run: Counter[str] = Counter()
    for _ in SLICES:
        commit(repository)
        due = SLICES[turn_of(repository).number % len(SLICES)]
        run.update(case.name for case in due)

    assert run == Counter(list(CASES))


def test_no_slice_is_longer_than_ci_has_time_for_and_no_case_without_one():
    assert SECONDS

    for cases in SLICES:
        assert sum(SECONDS.get(one.name, 0.0) for one in cases) <= LONGEST_SLICE_SECONDS
    cases = list(CASES.values())

    assert sum(map(len, slices_of(cases, {}))) == len(cases)


def test_one_commit_always_has_the_same_turn(repository: Path):
    commit(repository)
    assert turn_of(repository) == turn_of(repository)
    assert turn_of(repository).because.startswith("commit ")


def test_a_clone_without_history_goes_by_the_day_of_its_commit(repository: Path, tmp_path: Path):
    # given
    commit(repository)
    commit(repository)
    clone = tmp_path / "clone"
    git(["git", "clone", "--quiet", "--depth=1", f"file://{repository}", str(clone)])
    # when
    turn = turn_of(clone)
    # then
    at = git(["git", "-C", str(repository), "show", "-s", "--format=%ct", "HEAD"]).stdout
    assert turn.number == int(at) // 86_400
    assert turn.because.startswith("the day of commit ")


def test_outside_a_repository_and_without_git_it_goes_by_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert turn_of(tmp_path).because == "today"
    commit(repository)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert turn_of(repository).because == "today"


async def test_the_short_selection_says_which_slice_it_is_and_how_to_repeat_it():
    said = await _faults("--selection", "ci", "--list")

    first, *cases = said.splitlines()
    assert first.startswith("slice ")
    assert f" of {len(SLICES)} by " in first
    number = first.rpartition("SLICE=")[2]
    assert (await _faults("--slice", number, "--list")).splitlines() == cases


async def test_a_slice_that_is_not_there_is_one_line_and_exit_code_2():
    main = partial(run_command, faults, "faults")
    refused = await called(main, ["--slice", "99"], os.environ)

    assert refused.code == 2
    assert f"there are 1 to {len(SLICES)}" in refused.err


async def _faults(*arguments: str) -> str:
    said = await called(partial(run_command, faults, "faults"), arguments, os.environ)
    assert said.code == 0
    return said.out


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANSWER = b'HTTP/1.1 201 Created\r\nCorrelation-Id: c-1\r\nContent-Length: 13\r\n\r\n{"version":1}'


def headers() -> dict[str, str]:
    issuer = TokenIssuer(Ed25519PrivateKey.generate(), "tests", "teddy")
    token = issuer.issue(Principal("parent-mia", Role.PARENT), NOON, timedelta(hours=1))
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": "key-0001", "X-Reader": "2"}


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[str]:
    """Answers every request with these bytes; None: never."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            writer.write(answer)
        else:
            await reader.read()  # until the caller gives up
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_an_answered_request_is_noted_with_its_answer(tmp_path: Path):
    history = History(tmp_path / "history.jsonl")
    async with server(ANSWER) as url, history.client(base_url=url, headers=headers()) as http:
        response = await http.post("/v1/children", json={"name": "Mia"})
    history.close()

    (entry,) = read_history(tmp_path / "history.jsonl")
    assert response.json() == entry.answer == {"version": 1}
    assert (entry.subject, entry.role, entry.key) == ("parent-mia", "parent", "key-0001")
    assert (entry.method, entry.path, entry.status) == ("POST", "/v1/children", 201)
    assert (entry.reader, entry.correlation_id, len(entry.digest)) == ("2", "c-1", 16)
    assert entry.accepted
    assert entry.is_command


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"])
async def test_a_request_whose_answer_broke_off_is_noted_as_unanswered(
    tmp_path: Path, answer: bytes
):
    history = History(tmp_path / "history.jsonl")
    async with server(answer) as url, history.client(base_url=url, headers=headers()) as http:
        with pytest.raises(httpx2.TransportError):
            await http.post("/v1/children", json={"name": "Mia"})
    history.close()

    (entry,) = read_history(tmp_path / "history.jsonl")
    assert (entry.status, entry.key) == (UNANSWERED, "key-0001")
    assert not entry.accepted
    assert not entry.refused


async def test_a_request_that_is_given_up_is_noted_as_unanswered(tmp_path: Path):
    history = History(tmp_path / "history.jsonl")
    async with server(None) as url, history.client(base_url=url, headers=headers()) as http:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(http.get("/v1/children/mia"), 0.1)
    history.close()

    (entry,) = read_history(tmp_path / "history.jsonl")
    assert (entry.status, entry.method) == (UNANSWERED, "GET")


SEEDS = (1, 2, 3)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(f"# Before\n{BEGIN}{END}after\n")
    return path


def outcome(case: str, seed: int, *violations: Violation) -> Outcome:
    return Outcome(case, seed, 2, 1_000, 7.4, Path("unused"), violations)


def row(page: Path, case: str) -> str:
    return next(line for line in page.read_text().splitlines() if line.startswith(f"| {case} "))


def test_a_row_sums_up_the_seeds_of_its_case(page: Path):
    renew(page, [outcome("query-killed", seed) for seed in SEEDS], "abc1234")

    assert row(page, "query-killed").endswith("| 1 2 3 | abc1234 | 6 | 3,000 | 0 | 0 | 0 | 22 |")
    assert row(page, "**all 1**").endswith("| 6 | 3,000 | 0 | 0 | 0 | 22 |")


def test_other_cases_keep_their_rows_and_the_page_its_text(page: Path):
    # given
    renew(page, [outcome("query-killed", seed) for seed in SEEDS], "abc1234")
    before = row(page, "query-killed")
    # when
    renew(page, [outcome("disk-full", seed) for seed in SEEDS], "abc1234")
    # then
    assert row(page, "query-killed") == before
    assert row(page, "**all 2**").endswith("| 12 | 6,000 | 0 | 0 | 0 | 44 |")
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("after\n")


def test_what_was_broken_stands_in_the_table():
    broken = outcome("disk-full", 1, Violation("lost", "one"), Violation("gap", "two"))

    assert Row.of([broken, outcome("disk-full", 2)]) == Row(4, 2_000, 1, 0, 1, 15)


def test_a_row_says_with_which_seeds_and_at_which_commit_and_how_long_one_takes(page: Path):
    renew(page, [outcome("query-killed", seed) for seed in (2, 1)], "abc1234")
    renew(page, [outcome("disk-full", 7)], "def5678")

    assert "| 1 2 | abc1234 |" in row(page, "query-killed")
    assert "| 7 | def5678 |" in row(page, "disk-full")
    assert measured_seconds(page) == {"query-killed": 7.5, "disk-full": 7.0}
