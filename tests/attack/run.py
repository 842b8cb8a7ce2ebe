"""Runs rows one after the other, each with a limit of time, and shows the table. What fills the
audit trail with records comes after what reads all of it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from deploy.local.state import StackFolder
from shared.command_line import Table
from tests.attack import (
    availability,
    canaries,
    erasure,
    evidence,
    families,
    inputs,
    keys,
    statements,
    tokens,
)
from tests.attack.row import Broken, Row, Seen, slug
from tests.attack.world import World, world_of

KINDS: Mapping[str, Sequence[Row]] = {
    "tokens": tokens.ROWS,
    "families": families.ROWS,
    "inputs": inputs.ROWS,
    "statements": statements.ROWS,
    "keys": keys.ROWS,
    "canaries": canaries.ROWS,
    "erasure": erasure.ROWS,
    "evidence": evidence.ROWS,
    "availability": availability.ROWS,
}


@dataclass(frozen=True, slots=True)
class Named:
    """A row of a kind; its name is what `--case` takes."""

    kind: str
    row: Row

    @property
    def name(self) -> str:
        return f"{self.kind}/{slug(self.row.name)}"


def all_rows() -> list[Named]:
    return [Named(kind, row) for kind, rows in KINDS.items() for row in rows]


MOST_SECONDS = 330.0
"""Of all rows; the six minutes of a run hold the start and the end of a stack, too."""

ROW_SECONDS = 60.0
"""A row that takes longer is not bounded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    tried: str
    expected: str
    seen: Seen
    seconds: float


async def run_all(folder: StackFolder, rows: Sequence[Named], *, timed: bool) -> list[Outcome]:
    until = time.monotonic() + MOST_SECONDS
    async with world_of(folder, timed=timed) as world:
        return [await _run(world, one, until - time.monotonic()) for one in rows]


async def _run(world: World, one: Named, seconds_left: float) -> Outcome:
    began = time.monotonic()
    seen = await attempted(world, one, min(ROW_SECONDS, seconds_left))
    seconds = time.monotonic() - began
    if not seen.holds:
        click.echo(f"BROKEN {one.name}: {seen.reported}")
    return Outcome(one.name, one.row.tried, str(one.row.expected), seen, seconds)


async def attempted(world: World, one: Named, seconds: float) -> Seen:
    """What came of the row; whatever goes wrong with it is broken, too: nothing was shown."""
    if seconds <= 0:
        return Seen(False, "not tried: the time of the whole run was over")
    try:
        async with asyncio.timeout(seconds):
            return await one.row.attempt(world)
    except Broken as seen:
        return Seen(False, str(seen))
    except TimeoutError:
        return Seen(False, f"no outcome in {seconds:.0f} s")
    except Exception as error:  # noqa: BLE001 - a row that does not work out is a finding, too
        return Seen(False, f"{type(error).__name__}: {error}")


def show(outcomes: Sequence[Outcome], seconds: float) -> None:
    table = Table("attack", "tried", "expected", "seen", "seconds", "")
    for one in outcomes:
        verdict = "holds" if one.seen.holds else "BROKEN"
        table.add(
            one.name, one.tried, one.expected, one.seen.reported, f"{one.seconds:.1f}", verdict
        )
    table.print()
    broken = sum(not one.seen.holds for one in outcomes)
    click.echo(f"{len(outcomes)} attacks in {seconds:.0f} s, {broken} not refused or not bounded")
