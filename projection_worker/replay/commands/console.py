"""What several commands take and show: amounts, and the progress of work on many events."""

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from shared.command_line import console


class Amount(click.FloatRange):
    """A number, which "nan" and "inf" are not."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


rate_option = click.option(
    "--rate", type=Amount(0, min_open=True), help="Maximum events per second."
)

LINE_SECONDS = 5.0
"""Between two lines where no terminal shows a bar."""

Report = Callable[[str, int, int | None], None]
"""Takes the name of the phase, how many events are done, and of how many (None: not known yet)."""


@contextmanager
def shown() -> Iterator[Report]:
    """A bar on a terminal; elsewhere lines on standard error, for what takes long."""
    on = console()
    if not on.is_terminal:
        yield Lines().say
        return
    columns = (
        TextColumn("{task.description:6}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=on, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def report(phase: str, done: int, total: int | None) -> None:
            if phase not in tasks:
                tasks[phase] = progress.add_task(phase, total=total, completed=done, said="")
            task = tasks[phase]
            speed = progress.tasks[task].speed or 0.0
            progress.update(task, total=total, completed=done, said=_said(done, total, speed))

        yield report


@contextmanager
def counting(phase: str, total: int | None) -> Iterator[Callable[[int], Awaitable[None]]]:
    """As `shown`, of one phase; gives what takes how many more events are done."""
    done = 0
    with shown() as report:

        async def more(events: int) -> None:
            nonlocal done
            done += events
            report(phase, done, total)

        report(phase, done, total)
        yield more


class Lines:
    """A line of progress on standard error every `LINE_SECONDS`: what is quick has none."""

    def __init__(self) -> None:
        self._phase: str | None = None
        self._began = self._said = time.monotonic()
        self._from = 0

    def say(self, phase: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._began, self._from, self._said = phase, now, done, now
        if now - self._said < LINE_SECONDS:
            return
        self._said = now
        speed = (done - self._from) / (now - self._began) if now > self._began else 0.0
        left = "time left unknown"
        if total is not None and speed:
            left = f"{max(0, total - done) / speed:.0f} s left"
        click.echo(f"{phase:6} {_said(done, total, speed)}, {left}", err=True)


def _said(done: int, total: int | None, speed: float) -> str:
    of_all = "" if total is None else f"/{total:,}"
    return f"{done:,}{of_all} events, {speed:,.0f}/s"
