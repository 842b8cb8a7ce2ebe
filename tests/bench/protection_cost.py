"""`python -m tests.bench.protection_cost`: what the protection of children's data costs.

Registrations and queries over HTTP, of the tree of an older commit (checked out beside, into a
temporary folder) and of this one, in turns: each round is a fresh local stack with nothing beside
it. Medians and ranges are printed, and written to a file of JSON where one is asked for.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
import orjson
import pymongo
import uvloop
from rich.console import Console
from rich.table import Table

from deploy.local.state import StackState
from tests.bench.other_tree import HERE, Stack, checked_out, stack_of
from tests.support.consents import CONSENTS
from tests.support.raw_http import Answered, request, send_all
from tests.support.waiting import eventually

CHILDREN_A_PARENT, TIMES_FROM_CACHE = 3, 5
CONNECTIONS = 32
PROJECTED_SECONDS = 120.0
WIDTH = 110
REGISTRATIONS, UNCACHED, SEARCHES, CACHED = (
    "registrations",
    "profiles, not cached",
    "searches, not cached",
    "profiles, cached",
)

Rates = dict[str, float]


@click.command()
@click.option("--before", default="007b0b6", show_default=True, help="The commit to compare with.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--children", default=1_500, show_default=True, type=click.IntRange(CONNECTIONS))
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path))
def main(before: str, rounds: int, children: int, out: Path | None) -> None:
    """Rates a second before and after, and their ratio."""
    load_average = [*os.getloadavg()]
    with checked_out(before) as old:
        trees = {"before": old, "after": HERE}
        measured: dict[str, list[Rates]] = {name: [] for name in trees}
        for number in range(rounds):
            for name, tree in trees.items():
                measured[name].append(_round(tree, children))
                click.echo(f"round {number + 1}, {name}: {_said(measured[name][-1])}", err=True)
    load_average += os.getloadavg()
    _print(measured, load_average)
    if out is not None:
        result = {"before": before, "load_average": load_average, "rates": measured}
        out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))


def _round(tree: Path, children: int) -> Rates:
    with TemporaryDirectory(prefix="teddy-cost-") as path, stack_of(tree, Path(path)) as stack:
        return uvloop.run(_measure(stack, children, CONSENTS if _asks_for_consents(tree) else ()))


def _asks_for_consents(tree: Path) -> bool:
    """Before children's data were protected, nobody was asked."""
    return (tree / "docs" / "consent.md").exists()


async def _measure(stack: Stack, children: int, consents: Sequence[Mapping[str, str]]) -> Rates:
    parents = [f"parent-{number}" for number in range(children // CHILDREN_A_PARENT)]
    bearers = {parent: stack.parent_s_bearer(parent) for parent in parents}
    owners = [parents[number % len(parents)] for number in range(children)]
    registrations = [
        request("POST", "/v1/children", bearers[parent], _body(number, consents))
        for number, parent in enumerate(owners)
    ]
    registered = await send_all(stack.address("command"), registrations, CONNECTIONS)
    await eventually(lambda: _projected(stack.state, children), PROJECTED_SECONDS)
    ids = [orjson.loads(body)["child_id"] for body in registered.bodies]
    reads = [
        request("GET", f"/v1/children/{child}", bearers[parent])
        for child, parent in zip(ids, owners, strict=True)
    ]
    searches = [
        request("GET", f"/v1/children?name=mi&limit={limit}", bearer)
        for limit in (10, 20, 30)
        for bearer in bearers.values()
    ]
    uncached = await _queries(stack, reads)
    searched = await _queries(stack, searches)
    cached = await _queries(stack, reads * TIMES_FROM_CACHE)
    _expect(uncached.hits + searched.hits == 0, "an answer was in the cache already")
    _expect(cached.hits == len(cached.bodies), "an answer was not in the cache")
    return {
        REGISTRATIONS: registered.rate,
        UNCACHED: uncached.rate,
        SEARCHES: searched.rate,
        CACHED: cached.rate,
    }


def _body(number: int, consents: Sequence[Mapping[str, str]]) -> bytes:
    child = {"name": f"Mia {number}", "age": 7, "udid": f"bench-{number:09}"}
    profile = {"device_id": f"bear-{number}", "interests": ["space", "music"]}
    return orjson.dumps(child | profile | ({"consents": consents} if consents else {}))


async def _queries(stack: Stack, requests: Sequence[bytes]) -> Answered:
    return await send_all(stack.address("query"), requests, CONNECTIONS)


async def _projected(state: StackState, children: int) -> bool:
    """Whether the read models have all of them."""

    def counted() -> bool:
        with pymongo.MongoClient[dict[str, Any]](
            state.environment["TEDDY_READ_MONGO_URL"]
        ) as client:
            database = client["teddy_read"]
            names = [name for name in database.list_collection_names() if "children" in name]
            return any(database[name].estimated_document_count() >= children for name in names)

    return await asyncio.to_thread(counted)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise click.ClickException(otherwise)


def _said(rates: Rates) -> str:
    return ", ".join(f"{name} {rate:,.0f}/s" for name, rate in rates.items())


def _print(measured: dict[str, list[Rates]], load_average: Sequence[float]) -> None:
    table = Table("what", "before", "after", "ratio of medians")
    for what in (REGISTRATIONS, UNCACHED, SEARCHES, CACHED):
        before, after = ([one[what] for one in measured[name]] for name in ("before", "after"))
        ratio = median(after) / median(before)
        table.add_row(what, _spread(before), _spread(after), f"{ratio:.2f}")
    Console(width=WIDTH).print(table)
    load = ", ".join(f"{one:.1f}" for one in load_average)
    click.echo(f"load average (1, 5, 15 min), first and last: {load}")


def _spread(rates: Sequence[float]) -> str:
    return f"{median(rates):,.0f}/s ({min(rates):,.0f} to {max(rates):,.0f})"


if __name__ == "__main__":
    main()
