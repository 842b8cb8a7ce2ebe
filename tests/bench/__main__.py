"""`make bench` and `make bench-quick`."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from tests.bench import page
from tests.bench.load_generator import Broken, GeneratorMissing, load_generator
from tests.bench.results import Result
from tests.bench.rows import ROWS, WHEN_ASKED
from tests.bench.world import World, checked


class Names(click.ParamType):
    name = "names"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[str]:
        names = value.split(",")
        unknown = [name for name in names if name not in ROWS]
        if unknown:
            self.fail(f"{unknown[0]!r} is none of {', '.join(ROWS)}", param, ctx)
        return [name for name in ROWS if name in names]


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--rows", "asked", type=Names(), help="Only these, as registration,batches.")
@click.option(
    "--size",
    default=100_000,
    show_default=True,
    type=click.IntRange(1_000),
    help="Children of rows that seed.",
)
@click.option("--quick", is_flag=True, help="Every row with tiny counts: does it still measure?")
def main(rounds: int, asked: list[str] | None, size: int, *, quick: bool) -> None:
    """Measure; exit code 1 when a measurement is broken, never because a figure is bad."""
    chosen = asked or [name for name in ROWS if name not in WHEN_ASKED or quick]
    try:
        generator = load_generator(quick=quick)
    except GeneratorMissing as missing:
        click.echo(missing, err=True)
        sys.exit(2)
    click.echo(f"load generator: {generator.name}; load average {os.getloadavg()[0]:.1f}", err=True)
    results: list[Result] = []
    broken: list[str] = []
    with World(generator, quick, size) as world:
        for name in chosen:
            with _noted(name, broken):
                results += checked(ROWS[name](world, 1 if quick else rounds))
    click.echo(page.table([one.as_json() for one in results]))
    if not quick:
        page.keep(results, world.plots, whole=asked is None and not broken)
    sys.exit(1 if broken else 0)


@contextmanager
def _noted(name: str, broken: list[str]) -> Iterator[None]:
    """How long the row took. One that is broken does not take the others' figures with it."""
    began = time.monotonic()
    try:
        yield
    except Broken as error:
        broken.append(name)
        click.echo(f"{name} is broken: {error}", err=True)
    click.echo(f"{name}: {time.monotonic() - began:.0f} s", err=True)


if __name__ == "__main__":
    main()
