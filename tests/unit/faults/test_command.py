"""`python -m tests.faults` and what it is asked."""

import subprocess
import sys

import pytest

from tests.faults.cases import CASES


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "sunshine"], "no case 'sunshine'"),
        (["--seed", "many"], "'many' is not a valid integer"),
        (["--selection", "some"], "'some' is not one of"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    refused = _faults(*arguments)

    assert refused.returncode == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_every_case_can_be_listed() -> None:
    listed = _faults("--list")

    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(CASES)


def _faults(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.faults", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
