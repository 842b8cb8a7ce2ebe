"""`python -m tests.bench.one_caller`: are others answered while one caller takes all it can?

Four loads, each by one process from 127.0.0.1 that reconnects whenever it is refused, on a local
stack of an older commit and on one of this tree. During each, two callers with other subjects send
one request after the other, each on its own connection and without retry: one from 127.0.0.2, one
from the address of the load. Requests answered with success within 2 s are counted.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import uvloop
from rich.console import Console
from rich.table import Table

from shared.http.settings import Bounds
from tests.bench.other_tree import HERE, Stack, checked_out, stack_of
from tests.support.greedy_loads import PLACES, Tally, asked_beside, is_ready, loads_of, running
from tests.support.waiting import STARTED, eventually

PROMISED_SECONDS = 2.0
LONGEST_SECONDS = 60.0
"""Of one load; where hardly anything is answered, fewer are asked."""

SETTINGS = {
    "TEDDY_RATE_LIMIT_REGISTRATION": "1000000/minute",
    "TEDDY_SUBJECT_SHARE": str(Bounds().subject_share),
}
"""What is measured are the usual shares, not the rates; a local stack has its own of both."""

Tallies = dict[tuple[str, str], Tally]
"""By load, and by where the caller is."""


@click.command()
@click.option("--before", default="ba3c50c", show_default=True, help="The commit to compare with.")
@click.option("--load", "only", default="", help="Measure loads only whose names hold this text.")
@click.option("--requests", default=100, show_default=True, type=click.IntRange(10, 1_000))
def main(before: str, only: str, requests: int) -> None:
    """Shares answered within 2 s, before and after."""
    load_average = [*os.getloadavg()]
    with checked_out(before) as old:
        trees = {"before": old, "after": HERE}
        measured = {name: _measured(tree, only, requests) for name, tree in trees.items()}
    _print(measured)
    load = ", ".join(f"{one:.1f}" for one in (*load_average, *os.getloadavg()))
    click.echo(f"load average (1, 5, 15 min), first and last: {load}")


def _measured(tree: Path, only: str, requests: int) -> Tallies:
    with (
        TemporaryDirectory(prefix="teddy-shares-") as path,
        stack_of(tree, Path(path), SETTINGS) as stack,
    ):
        return uvloop.run(_measure(stack, only, requests))


async def _measure(stack: Stack, only: str, requests: int) -> Tallies:
    tallies: Tallies = {}
    for greed in [one for one in await loads_of(stack) if only in one.name]:
        async with running(greed.load):
            places = list(PLACES.items())
            asked = (
                asked_beside(greed, source, requests, PROMISED_SECONDS, LONGEST_SECONDS)
                for _, source in places
            )
            for (place, _), tally in zip(places, await asyncio.gather(*asked), strict=True):
                tallies[greed.name, place] = tally
                click.echo(f"{greed.name}, {place}: {tally}", err=True)
        await eventually(lambda: is_ready(stack), STARTED)
    return tallies


def _print(measured: Mapping[str, Tallies]) -> None:
    table = Table("load of one caller", "other callers at", *measured)
    for name, place in measured["after"]:
        tallies: Sequence[Tally] = [measured[tree][name, place] for tree in measured]
        table.add_row(name, place, *map(str, tallies))
    Console(width=110).print(table)
    click.echo("answered within 2 s, and the slowest of those")


if __name__ == "__main__":
    main()
