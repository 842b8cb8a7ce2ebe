"""`python -m tests.faults` and what it is asked."""

import os
from functools import partial

import pytest

from shared.command_line import run_command
from tests.faults.__main__ import faults
from tests.faults.cases import CASES
from tests.support.commands import called, started


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "sunshine"], "no case 'sunshine'"),
        (["--seed", "many"], "'many' is not a valid integer"),
        (["--selection", "some"], "'some' is not one of"),
    ],
)
async def test_what_cannot_be_meant_is_one_line_and_exit_code_2(
    arguments: list[str], said: str
) -> None:
    refused = await called(partial(run_command, faults, "faults"), arguments, os.environ)

    assert refused.code == 2
    assert said in refused.err
    assert len(refused.err.splitlines()) == 1


async def test_every_case_can_be_listed() -> None:
    listed = await started("tests.faults", ["--list"], os.environ)

    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == list(CASES)
