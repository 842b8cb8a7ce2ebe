"""`python -m tests.bench.one_caller`: are others answered beside one caller who takes all it can?

Four loads, each by one process from 127.0.0.1 that comes back whenever it is turned away, on a
local stack of an older commit and on one of this tree. Beside each, two callers with subjects of
their own ask one request after the other, each on a connection of its own and sent once: one from
127.0.0.2, one from the address of the load. Counted is what is answered with success within 2 s.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import httpx2
import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from shared.clock import new_id
from shared.http.shares import Bounds
from shared.keyring.key_file import read_key_file
from shared.signing import ConsistencyTokens
from tests.bench.greedy import Load
from tests.bench.other_tree import HERE, Stack, checked_out, stack_of
from tests.bench.raw_http import request
from tests.support.consents import CONSENTS
from tests.support.greedy_caller import LOOPBACK, OTHER, ask
from tests.support.waiting import STARTED, eventually

PROMISED_SECONDS = 2.0
PAUSE_SECONDS = 0.02
LONGEST_SECONDS = 60.0
"""Of one load; where hardly anything is answered, fewer are asked."""

FLOODS = 4_000
SETTINGS = {
    "TEDDY_RATE_LIMIT_REGISTRATION": "1000000/minute",
    "TEDDY_SUBJECT_SHARE": str(Bounds().subject_share),
}
"""What is measured are the usual shares, not the rates; a local stack has its own of both."""

PLACES = {"another address": OTHER, "the same address": LOOPBACK}


@dataclass
class Tally:
    """`slowest`: seconds of the slowest that was answered in time."""

    asked: int = 0
    answered: int = 0
    slowest: float = 0.0

    def __str__(self) -> str:
        return f"{self.answered} of {self.asked} ({self.slowest:.2f} s)"


Tallies = dict[tuple[str, str], Tally]
"""By load, and by where the caller is."""


@dataclass(frozen=True)
class Attack:
    name: str
    load: Load
    ask: Callable[[], bytes]


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
    for attack in [one for one in await _attacks(stack) if only in one.name]:
        async with _running(attack.load):
            places = list(PLACES.items())
            asked = (_ask(attack, stack, source, requests) for _, source in places)
            for (place, _), tally in zip(places, await asyncio.gather(*asked), strict=True):
                tallies[attack.name, place] = tally
                click.echo(f"{attack.name}, {place}: {tally}", err=True)
        await eventually(lambda: _is_ready(stack), STARTED)
    return tallies


async def _attacks(stack: Stack) -> list[Attack]:
    host, command = stack.address("command")
    query = stack.address("query")[1]
    greedy = stack.bearer("greedy")
    floods = tuple(_registration(greedy).decode() for _ in range(FLOODS))
    slow = request("POST", "/v1/children", greedy, b"").decode()
    slow = slow.replace("Content-Length: 0", "Content-Length: 60000")
    lena, mia = await _registered(stack, "greedy"), await _registered(stack, "family")
    family = stack.bearer("family")
    late = request("GET", f"/v1/children/{lena}", greedy).decode().removesuffix("\r\n")
    late += f"Consistency-Token: {_future(stack, lena)}\r\nPrefer: wait=10\r\n\r\n"

    def register() -> bytes:
        return _registration(stack.bearer(f"parent-{new_id()}"))

    def look() -> bytes:
        return request("GET", f"/v1/children/{mia}", family)

    return [
        Attack("none", Load(host, command, "silent", 0), register),
        Attack("1,000 silent connections", Load(host, command, "silent", 1_000), register),
        Attack("420 slow bodies", Load(host, command, "slow bodies", 420, (slow,)), register),
        Attack("600 flooding connections", Load(host, command, "flood", 600, floods), register),
        Attack("450 waiting queries", Load(host, query, "flood", 450, (late,)), look),
    ]


def _registration(bearer: str) -> bytes:
    child = {"name": "Mia", "age": 7, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
    return request("POST", "/v1/children", bearer, orjson.dumps(child))


async def _registered(stack: Stack, parent: str) -> str:
    """A child of the parent that the query API shows."""
    bearer = {"Authorization": f"Bearer {stack.bearer(parent)}"}
    child = {"name": "Mia", "age": 7, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
    async with httpx2.AsyncClient(headers=bearer, timeout=30) as http:
        command, query = (f"http://{LOOPBACK}:{stack.state.ports[n]}" for n in ("command", "query"))
        answer = await http.post(f"{command}/v1/children", json=child)
        child_id: str = answer.json()["child_id"]

        async def is_shown() -> bool:
            return (await http.get(f"{query}/v1/children/{child_id}")).is_success

        await eventually(is_shown, STARTED)
    return child_id


def _future(stack: Stack, child_id: str) -> str:
    """A token of a write that the child does not have yet."""
    keys = read_key_file(Path(stack.state.environment["TEDDY_KEY_FILE"]))
    return ConsistencyTokens(keys.signature_key).issue(child_id, 1_000)


@asynccontextmanager
async def _running(load: Load) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.greedy"),
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(load.to_json())
        process.stdin.close()
        if await process.stdout.readline() != b"ready\n":
            raise click.ClickException("the load ended before it began")
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _ask(attack: Attack, stack: Stack, source: str, requests: int) -> Tally:
    tally, until = Tally(), time.monotonic() + LONGEST_SECONDS
    address = (attack.load.host, attack.load.port)
    while tally.asked < requests and time.monotonic() < until:
        one = attack.ask()
        tally.asked += 1
        began = time.monotonic()
        try:
            async with asyncio.timeout(PROMISED_SECONDS):
                status = await ask(address, one, source)
        except TimeoutError:
            continue
        if httpx2.codes.is_success(status):
            tally.answered += 1
            tally.slowest = max(tally.slowest, time.monotonic() - began)
        await asyncio.sleep(PAUSE_SECONDS)
    return tally


async def _is_ready(stack: Stack) -> bool:
    try:
        async with httpx2.AsyncClient() as http:
            urls = (f"http://{LOOPBACK}:{stack.state.ports[n]}" for n in ("command", "query"))
            answers = [await http.get(f"{url}/health/ready") for url in urls]
            return all(answer.is_success for answer in answers)
    except httpx2.TransportError:
        return False


def _print(measured: Mapping[str, Tallies]) -> None:
    table = Table("load of one caller", "other callers at", *measured)
    for name, place in measured["after"]:
        tallies: Sequence[Tally] = [measured[tree][name, place] for tree in measured]
        table.add_row(name, place, *map(str, tallies))
    Console(width=110).print(table)
    click.echo("answered within 2 s, and the slowest of those")


if __name__ == "__main__":
    main()
