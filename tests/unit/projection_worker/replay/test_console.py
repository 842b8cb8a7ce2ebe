"""How long work gets on, told in lines where no terminal shows a bar."""

from datetime import UTC, datetime

import click
import pytest

from projection_worker.replay.commands.console import LINE_SECONDS, Amount, Lines, counting
from projection_worker.replay.commands.events import EventType, require_order


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("projection_worker.replay.commands.console.time.monotonic", made)
    return made


def test_a_line_says_how_many_how_fast_and_how_long(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines()
    lines.say("build", 1_000, 150_212)

    clock.now += LINE_SECONDS
    lines.say("build", 61_000, 150_212)

    said = capsys.readouterr()
    assert said.err == "build  61,000/150,212 events, 12,000/s, 7 s left\n"
    assert said.out == ""


def test_what_is_quick_has_no_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.say("build", 0, 10)

    clock.now += LINE_SECONDS - 1
    lines.say("build", 10, 10)

    assert capsys.readouterr().err == ""


def test_each_phase_is_timed_from_its_own_beginning(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines()
    lines.say("build", 0, 900)
    clock.now += 100
    lines.say("verify", 0, 900)

    clock.now += 2 * LINE_SECONDS
    lines.say("verify", 100, 900)

    assert capsys.readouterr().err == "verify 100/900 events, 10/s, 80 s left\n"


async def test_where_nobody_knows_how_many_there_are_no_time_is_promised(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with counting("read", None) as more:
        await more(20)
        clock.now += LINE_SECONDS
        await more(80)

    assert capsys.readouterr().err == "read   100 events, 20/s, time left unknown\n"


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-1", "much"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Amount(0).convert(text, None, None)


def test_a_type_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    with pytest.raises(click.BadParameter, match=r"did you mean ChildRegistered\?"):
        EventType().convert("ChildRegisterd", None, None)


def test_a_type_that_is_far_off_is_answered_with_all_of_them() -> None:
    with pytest.raises(click.BadParameter, match=r"there are AlertPolicyConfigured, .*Resolved"):
        EventType().convert("xyzzy", None, None)


def test_a_time_that_lies_behind_another_leaves_nothing_between() -> None:
    require_order(NOON, None)
    require_order(None, NOON)
    with pytest.raises(click.UsageError):
        require_order(NOON, NOON)
