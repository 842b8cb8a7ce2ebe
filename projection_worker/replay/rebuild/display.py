"""Shows how a rebuild gets on: phase, events a second, time left."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import click

from projection_worker.replay.progress import shown
from projection_worker.replay.rebuild.ledger import Kind, Plan, Source
from projection_worker.replay.rebuild.rebuild import Phase, Rebuild

LOOK_SECONDS = 0.25


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
        f"{time.monotonic() - started:.1f} s, conversations last at most "
        f"{rebuild.conversation_limit_minutes} min in it; `teddy replay rollback` goes back, "
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
    with shown() as tell:
        while True:
            if rebuild.plan is not None and rebuild.phase in (Phase.BUILD, Phase.VERIFY):
                phase = rebuild.phase
                total, done = await _standing(rebuild, rebuild.plan)
                tell(phase, done, total)
            await asyncio.sleep(LOOK_SECONDS)


async def _standing(rebuild: Rebuild, plan: Plan) -> tuple[int, int]:
    """How many events the phase is about, and how many are done."""
    if rebuild.phase is Phase.VERIFY:
        tally = await rebuild.ledger.tally(plan.generation, Kind.CHILDREN)
        return tally.events, tally.verified
    kind = Kind.PARTITION if plan.source is Source.KAFKA else Kind.CHILDREN
    tally = await rebuild.ledger.tally(plan.generation, kind)
    return tally.events, tally.built
