"""`python -m tests.attack` and what it is asked."""

import os
from functools import partial

import pytest

from deploy.local.supervisor import LIMITS_OF_ONE
from shared.command_line import run_command
from shared.http.settings import Bounds
from tests.attack.__main__ import attack
from tests.attack.availability import ALLOWED
from tests.attack.row import Seen
from tests.attack.run import KINDS, Outcome, all_rows, show
from tests.attack.stack import own_servers_only, usual_limits
from tests.support.commands import called, started


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "sunshine"], "no attack 'sunshine'"),
        (["--selection", "some"], "'some' is not one of"),
    ],
)
async def test_what_cannot_be_meant_is_one_line_and_exit_code_2(
    arguments: list[str], said: str
) -> None:
    refused = await called(partial(run_command, attack, "attack"), arguments, os.environ)

    assert refused.code == 2
    assert said in refused.err
    assert len(refused.err.splitlines()) == 1


async def test_every_row_can_be_listed() -> None:
    listed = await started("tests.attack", ["--list"], os.environ)

    assert listed.code == 0
    names = [line.split()[0] for line in listed.out.splitlines()]
    assert names == [one.name for one in all_rows()]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kind_can_be_chosen(kind: str) -> None:
    listed = await called(
        partial(run_command, attack, "attack"), ["--list", "--case", kind], os.environ
    )

    assert {line.split("/")[0] for line in listed.out.splitlines()} == {kind}
    assert len(listed.out.splitlines()) == len(KINDS[kind])


def test_servers_that_the_environment_names_are_left_alone() -> None:
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


def test_what_is_attacked_has_the_limits_that_operators_get() -> None:
    # not those of a local stack, to which few subjects send everything
    limits = usual_limits()

    assert limits.keys() == LIMITS_OF_ONE.keys()
    assert limits["TEDDY_RATE_LIMIT_REGISTRATION"] == f"{ALLOWED}/hour"
    assert limits["TEDDY_SUBJECT_SHARE"] == str(Bounds().subject_share)


def test_the_table_tells_what_held_and_what_did_not(capsys: pytest.CaptureFixture[str]) -> None:
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
