"""Shows how a rebuild gets on: phase, events a second, time left."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from projection_worker.replay.rebuild.ledger import Kind, Plan, Source
from projection_worker.replay.rebuild.rebuild import Phase, Rebuild
from shared.tables import console

LOOK_SECONDS = 0.25
LINE_SECONDS = 5.0
"""Between two lines where no terminal shows a bar."""


async def following(rebuild: Rebuild, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` of `rebuild` and show its progress meanwhile."""
    started = time.monotonic()
    async with _shown(rebuild):
        await work
    assert rebuild.plan is not None
    for child, reason in (await rebuild.ledger.unopened(rebuild.plan.generation)).items():
        click.echo(
            f"child {child} does not open, no search finds it and its labels are missing: {reason}",
            err=True,
        )
    click.echo(
        f"generation {rebuild.plan.generation.number} is live after "
        f"{time.monotonic() - started:.1f} s; `teddy replay rollback` goes back, "
        "`teddy replay drop-old` forgets what it replaced"
    )


@asynccontextmanager
async def _shown(rebuild: Rebuild) -> AsyncIterator[None]:
    showing = asyncio.create_task(_show(rebuild))
    try:
        yield
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing


async def _show(rebuild: Rebuild) -> None:
    on = console()
    columns = (
        TextColumn("{task.description:6}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} events, {task.fields[speed]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=on, disable=not on.is_terminal) as progress:
        lines = _Lines(on.is_terminal)
        tasks: dict[Phase, TaskID] = {}
        while True:
            if rebuild.plan is not None and rebuild.phase in (Phase.BUILD, Phase.VERIFY):
                total, done = await _standing(rebuild, rebuild.plan)
                if rebuild.phase not in tasks:
                    tasks[rebuild.phase] = progress.add_task(
                        rebuild.phase, total=total, speed=0.0, completed=done
                    )
                speed = progress.tasks[tasks[rebuild.phase]].speed or 0.0
                progress.update(tasks[rebuild.phase], total=total, completed=done, speed=speed)
                lines.say(rebuild.phase, done, total)
            await asyncio.sleep(LOOK_SECONDS)


async def _standing(rebuild: Rebuild, plan: Plan) -> tuple[int, int]:
    """How many events the phase is about, and how many are done."""
    if rebuild.phase is Phase.VERIFY:
        tally = await rebuild.ledger.tally(plan.generation, Kind.CHILDREN)
        return tally.events, tally.verified
    kind = Kind.PARTITION if plan.source is Source.KAFKA else Kind.CHILDREN
    tally = await rebuild.ledger.tally(plan.generation, kind)
    return tally.events, tally.built


class _Lines:
    """Progress as lines on standard error, for logs of what takes long: what is piped has none."""

    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._phase: Phase | None = None
        self._began = self._said = time.monotonic()
        self._from = 0

    def say(self, phase: Phase, done: int, total: int) -> None:
        if self._is_terminal:
            return
        now = time.monotonic()
        if phase is not self._phase:
            self._phase, self._began, self._from, self._said = phase, now, done, now
        if now - self._said < LINE_SECONDS:
            return
        self._said = now
        speed = (done - self._from) / (now - self._began) if now > self._began else 0.0
        left = f"{(total - done) / speed:.0f} s left" if speed else "time left unknown"
        click.echo(f"{phase:6} {done:,}/{total:,} events, {speed:,.0f}/s, {left}", err=True)
