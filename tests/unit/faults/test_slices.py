"""The short selection: which cases a run of CI takes."""

import os
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from shared.command_line import run_command
from tests.faults.__main__ import faults
from tests.faults.cases import CASES
from tests.faults.report import PAGE, measured_seconds
from tests.faults.slices import slices_of, turn_of
from tests.support.commands import called

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


def test_a_row_of_as_many_commits_as_there_are_slices_runs_every_case_once(
    repository: Path,
) -> None:
    run: Counter[str] = Counter()
    for _ in SLICES:
        commit(repository)
        due = SLICES[turn_of(repository).number % len(SLICES)]
        run.update(case.name for case in due)

    assert run == Counter(list(CASES))


def test_no_slice_is_longer_than_what_ci_has_time_for() -> None:
    assert SECONDS

    for cases in SLICES:
        assert sum(SECONDS.get(one.name, 0.0) for one in cases) <= LONGEST_SLICE_SECONDS


def test_a_case_that_nobody_measured_has_its_slice_too() -> None:
    cases = list(CASES.values())

    assert sum(map(len, slices_of(cases, {}))) == len(cases)


def test_one_commit_always_has_the_same_turn(repository: Path) -> None:
    commit(repository)
    assert turn_of(repository) == turn_of(repository)
    assert turn_of(repository).because.startswith("commit ")


def test_a_clone_without_history_goes_by_the_day_of_its_commit(
    repository: Path, tmp_path: Path
) -> None:
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


def test_outside_a_repository_it_goes_by_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert turn_of(tmp_path).because == "today"


def test_without_git_it_goes_by_the_day(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert turn_of(repository).because == "today"


async def test_the_short_selection_says_which_slice_it_is_and_how_to_repeat_it() -> None:
    said = await _faults("--selection", "ci", "--list")

    first, *cases = said.splitlines()
    assert first.startswith("slice ")
    assert f" of {len(SLICES)} by " in first
    number = first.rpartition("SLICE=")[2]
    assert (await _faults("--slice", number, "--list")).splitlines() == cases


async def test_a_slice_that_is_not_there_is_one_line_and_exit_code_2() -> None:
    main = partial(run_command, faults, "faults")
    refused = await called(main, ["--slice", "99"], os.environ)

    assert refused.code == 2
    assert f"there are 1 to {len(SLICES)}" in refused.err


async def _faults(*arguments: str) -> str:
    said = await called(partial(run_command, faults, "faults"), arguments, os.environ)
    assert said.code == 0
    return said.out
