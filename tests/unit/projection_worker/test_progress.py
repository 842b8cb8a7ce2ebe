"""How long work gets on, told in lines where no terminal shows a bar."""

import pytest

from projection_worker.replay.commands.console import LINE_SECONDS, Lines, counting


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
