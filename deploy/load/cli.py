"""The command `load`."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import click
import httpx2
import orjson
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.load.children import ModelChild, Wish
from deploy.load.generator import Generator
from deploy.load.outcome import Tally, settle
from shared.auth.principal import Principal, Role
from shared.auth.tokens import TokenIssuer, read_signing_key
from shared.clock import new_id, utc_now

TOKEN_LIFE = timedelta(hours=6)
RETRIED = (429, 503)
PAUSE_SECONDS = 0.25
RETRIES = 40


class Load:
    """Sends wishes over HTTP: for each child in order, for many children at the same time."""

    def __init__(self, command_url: str, issuer: TokenIssuer, generator: Generator) -> None:
        self._http = httpx2.AsyncClient(base_url=command_url, timeout=30.0)
        self._issuer = issuer
        self._generator = generator
        self._tokens: dict[tuple[str, str], str] = {}
        self.tally = Tally()

    async def run(self, children: int, commands: int, concurrency: int, progress: Progress) -> None:
        """`children` registrations and `commands` more, spread evenly over the children."""
        bar = progress.add_task("commands", total=children + commands)
        shares = _shares(children, commands)
        async with self._http, asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(self._work(shares, lambda: progress.advance(bar)))

    async def _work(self, shares: Iterator[tuple[int, int]], advance: Callable[[], None]) -> None:
        for number, commands in shares:
            child, chance = self._generator.child(number)
            await self._carry_out(child, self._generator.registration(child, chance))
            advance()
            for count in range(commands):
                if child.status == "new":
                    break  # its registration was a surprise, which the tally has
                wish = self._generator.next(child, chance, count)
                await self._carry_out(child, wish)
                advance()

    async def _carry_out(self, child: ModelChild, wish: Wish) -> None:
        started = time.perf_counter()
        response = await self._request(wish)
        self.tally.seconds.append(time.perf_counter() - started)
        settle(child, wish, response.status_code, response.json(), self.tally)

    async def _request(self, wish: Wish) -> httpx2.Response:
        """Again, with the same key, while the system is overloaded or does not answer."""
        headers = {
            "Authorization": f"Bearer {self._token(wish.role, wish.subject)}",
            "Idempotency-Key": wish.key,
            "Content-Type": "application/json",
        }
        content = None if wish.body is None else orjson.dumps(wish.body)
        for attempt in range(RETRIES):
            try:
                response = await self._http.request(
                    wish.method, wish.path, content=content, headers=headers
                )
                if response.status_code not in RETRIED:
                    return response
            except httpx2.TransportError:
                if attempt == RETRIES - 1:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)
        return response

    def _token(self, role: str, subject: str) -> str:
        known = self._tokens.get((role, subject))
        if known is None:
            known = self._issuer.issue(Principal(subject, Role(role)), utc_now(), TOKEN_LIFE)
            self._tokens[role, subject] = known
        return known


@click.command()
@click.option("--seed", default=7, show_default=True, help="Decides what is wished.")
@click.option("--registrations", default=2_000, show_default=True, type=click.IntRange(1))
@click.option("--commands", default=20_000, show_default=True, type=click.IntRange(0))
@click.option("--concurrency", default=64, show_default=True, type=click.IntRange(1, 1_000))
def load(seed: int, registrations: int, commands: int, concurrency: int) -> None:
    """Send seeded commands to the command API; exit code 1 when an answer is not as expected."""
    signing_key, url = (os.environ.get(n) for n in ("TEDDY_SIGNING_KEY_FILE", "TEDDY_COMMAND_URL"))
    if signing_key is None or url is None:
        raise click.UsageError("no stack runs: start one with `teddy up`")
    issuer = TokenIssuer(
        read_signing_key(Path(signing_key)),
        os.environ.get("TEDDY_TOKEN_ISSUER", "teddy-local"),
        os.environ.get("TEDDY_TOKEN_AUDIENCE", "teddy"),
    )
    sender = Load(url, issuer, Generator(seed, new_id()[:8]))
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    started = time.perf_counter()
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        uvloop.run(sender.run(registrations, commands, concurrency, progress))
    _show(console, sender.tally, time.perf_counter() - started)
    sys.exit(1 if sender.tally.surprises else 0)


def _shares(children: int, commands: int) -> Iterator[tuple[int, int]]:
    """Each child's number and how many commands it gets."""
    each, more = divmod(commands, children)
    yield from ((number, each + (number < more)) for number in range(children))


def _show(console: Console, tally: Tally, seconds: float) -> None:
    ordered = sorted(tally.seconds)
    percentile = statistics.quantiles(ordered, n=100) if len(ordered) > 1 else ordered * 99
    table = Table("what", "number")
    table.add_row("sent", f"{tally.sent:,}")
    table.add_row("accepted", f"{tally.accepted:,} ({tally.events:,} events)")
    table.add_row("repeated keys, answered as before", f"{tally.repeated:,}")
    table.add_row("refused, as expected", f"{tally.refused:,}")
    table.add_row("not as expected", f"{len(tally.surprises):,}")
    table.add_row("commands a second", f"{tally.sent / seconds:,.0f}")
    table.add_row(
        "latency p50, p99", f"{percentile[49] * 1e3:.1f} ms, {percentile[98] * 1e3:.1f} ms"
    )
    console.print(table)
    for name, number in tally.by_kind.most_common():
        console.print(f"  {name:26} {number:>8,}", highlight=False)
    for surprise in tally.surprises:
        console.print(f"[red]{surprise}[/]")
