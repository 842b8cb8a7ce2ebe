"""The command `load`."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import click
import httpx2
import orjson
import uvloop

from deploy.commands.running_stack import setting, token_issuer
from deploy.load.generator import Generator
from deploy.load.model import Tally
from deploy.load.sender import Pace, Sender
from shared.clock import new_id
from shared.command_line import Table, progress

TIMEOUT_SECONDS = 30.0


@click.command()
@click.option("--seed", default=7, show_default=True, help="Seed of the generated commands.")
@click.option("--registrations", default=2_000, show_default=True, type=click.IntRange(1))
@click.option("--commands", default=20_000, show_default=True, type=click.IntRange(0))
@click.option("--concurrency", default=64, show_default=True, type=click.IntRange(1, 1_000))
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="Maximum commands per second; default: unlimited.",
)
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append a JSON line for each acknowledged command: child_id, version, events.",
)
def load(
    seed: int,
    registrations: int,
    commands: int,
    concurrency: int,
    rate: float | None,
    history: Path | None,
) -> None:
    """Send seeded commands to the command API; exit code 1 when an answer is not as expected."""
    url, issuer = setting("TEDDY_COMMAND_URL"), token_issuer()
    started = time.perf_counter()
    total, done = registrations + commands, count(1)
    with _history(history) as acknowledged, progress("commands", total) as show:

        def advance() -> None:
            show(next(done))

        async def send() -> Tally:
            limits = httpx2.Limits(max_connections=concurrency)
            async with httpx2.AsyncClient(
                base_url=url, timeout=TIMEOUT_SECONDS, limits=limits
            ) as http:
                generator = Generator(seed, new_id()[:8])
                sender = Sender(http, issuer, generator, Pace(rate), acknowledged)
                await sender.run(registrations, commands, concurrency, advance)
            return sender.tally

        tally = uvloop.run(send())
    _show(tally, time.perf_counter() - started)
    sys.exit(1 if tally.unexpected else 0)


@contextmanager
def _history(path: Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What notes an acknowledged command; unbuffered, so that a load killed hard loses no line."""
    if path is None:
        yield lambda _: None
        return
    with path.open("ab", buffering=0) as file:

        def note(answer: dict[str, Any]) -> None:
            line = {name: answer[name] for name in ("child_id", "version", "events")}
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

        yield note


def _show(tally: Tally, seconds: float) -> None:
    ordered = sorted(tally.seconds)
    percentile = statistics.quantiles(ordered, n=100) if len(ordered) > 1 else (ordered or [0]) * 99
    table = Table("what", "number")
    table.add("sent", f"{tally.sent:,}")
    table.add("accepted", f"{tally.accepted:,} ({tally.events:,} events)")
    table.add("repeated keys with the first answer", f"{tally.repeated:,}")
    table.add("refused, as expected", f"{tally.refused:,}")
    table.add("unexpected", f"{tally.unexpected:,}")
    table.add("commands per second", f"{tally.sent / seconds:,.0f}")
    table.add("latency p50, p99", f"{percentile[49] * 1e3:.1f} ms, {percentile[98] * 1e3:.1f} ms")
    table.print()
    for name, number in tally.by_kind.most_common():
        click.echo(f"  {name:26} {number:>8,}")
    for surprise in tally.surprises:
        click.secho(surprise, fg="red")
