"""A profile from the cache, beside a FastAPI endpoint that returns the same headers and body as a
constant, and beside bare ASGI."""

from collections.abc import Sequence
from functools import partial
from statistics import median
from tempfile import NamedTemporaryFile

import httpx2
import orjson

from shared.auth.access import Role
from tests.bench.cpu import Spent
from tests.bench.load_generator import Broken, Driven
from tests.bench.people import Bear, talking_bears, versions
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.system import System
from tests.bench.world import World
from tests.support.callers import token
from tests.support.raw_http import request

CALLERS, CHILDREN = 64, 100
OF_THE_SERVER = {"date", "server", "content-length", "content-type"}
"""Headers that the constant's own server adds."""

QUERIES_A_MINUTE = 1_000
"""Of one parent: the limit is 1,200."""

HITS = 0.99
"""A late notice of a change before may drop some answers."""

SHOWN = (50, 75, 90, 95, 99)
HERE, FASTAPI, ASGI = "cached profile", "constant FastAPI GET", "bare ASGI"


def measure(world: World, rounds: int) -> Sequence[Result]:
    system = world.system
    children = talking_bears(system, world.scaled(CHILDREN, 4))
    system.until_projected(versions(children))
    with NamedTemporaryFile(prefix="teddy-bench-") as file:
        file.write(orjson.dumps(_answer(system, children[0])))
        file.flush()
        constants = {
            FASTAPI: world.baseline("constant", "fastapi", file.name),
            ASGI: world.baseline("constant", "asgi", file.name),
        }
    reads = _reads(children) * world.scaled(min(200, QUERIES_A_MINUTE // rounds), 5)
    done: dict[str, list[tuple[Driven, float]]] = {HERE: [], FASTAPI: [], ASGI: []}
    past: list[Spent] = []
    for _ in range(rounds):
        past.append(_past_the_cache(system, _reads(children)))
        done[HERE].append(_cached(system, reads))
        for name, constant in constants.items():
            driven, spent = constant.drive(reads, CALLERS)
            done[name].append((driven, spent.of_all(len(reads))))
    world.plots.append(_plot(done))
    return [*_results(done), *_without_cache(past, len(children))]


def _answer(system: System, child: Bear) -> dict[str, object]:
    """A profile's answer, as the baseline takes it."""
    host, port = system.stack.address("query")
    bearer = {"Authorization": f"Bearer {child.parent_s_bearer}"}
    response = httpx2.get(f"http://{host}:{port}/v1/children/{child.child_id}", headers=bearer)
    response.raise_for_status()
    headers = {k: v for k, v in response.headers.items() if k.lower() not in OF_THE_SERVER}
    return {"headers": headers, "body": response.json()}


def _reads(children: Sequence[Bear]) -> list[bytes]:
    return [
        request("GET", f"/v1/children/{child.child_id}", child.parent_s_bearer)
        for child in children
    ]


def _cached(system: System, reads: Sequence[bytes]) -> tuple[Driven, float]:
    """With microseconds of CPU a query."""
    with system.spent() as spent:
        driven = system.drive("query", reads, CALLERS)
    if driven.hits < len(reads) * HITS:
        raise Broken(f"only {driven.hits} of {len(reads)} answers came from the cache")
    return driven, spent.of("query", len(reads))


def _past_the_cache(system: System, reads: Sequence[bytes]) -> Spent:
    """What each profile costs once; they are in the cache then."""
    host, port = system.stack.address("query")
    admin = token(system.stack.state, Role.ADMIN, "admin-1")
    bearer = {"Authorization": f"Bearer {admin}"}
    httpx2.delete(f"http://{host}:{port}/v1/cache", headers=bearer).raise_for_status()
    with system.spent() as spent:
        driven = system.drive("query", reads, CALLERS)
    if driven.hits:
        raise Broken(f"{driven.hits} answers came from the cache that was emptied")
    return spent


def _without_cache(past: Sequence[Spent], queries: int) -> list[Result]:
    return [
        Result(
            name=f"CPU a query past the cache, {where}",
            value=median(spent.of(process, queries) for spent in past),
            unit="µs",
        )
        for process, where in (("query", "query process"), ("mongod", "mongod"))
    ]


def _results(done: dict[str, list[tuple[Driven, float]]]) -> list[Result]:
    rates = {name: median(driven.rate for driven, _ in each) for name, each in done.items()}
    p99 = {n: median(driven.milliseconds(99) for driven, _ in each) for n, each in done.items()}
    cpu = {name: median(spent for _, spent in each) for name, each in done.items()}
    rate = partial(Result, unit="queries/s", value=rates[HERE])
    return [
        rate(name="cached query", baseline=rates[FASTAPI], goal=1.0),
        rate(name="cached query, beside bare ASGI", baseline=rates[ASGI]),
        Result(
            name="cached query, p99",
            value=p99[HERE],
            unit="ms",
            baseline=p99[FASTAPI],
            goal=3,
            at_most=True,
        ),
        Result(name="CPU a cached query", value=cpu[HERE], unit="µs", baseline=cpu[FASTAPI]),
        Result(name="CPU of bare ASGI", value=cpu[ASGI], unit="µs", baseline=cpu[FASTAPI]),
    ]


def _plot(done: dict[str, list[tuple[Driven, float]]]) -> Plot:
    lines = {
        name: [round(median(d.milliseconds(p) for d, _ in each), 2) for p in SHOWN]
        for name, each in done.items()
    }
    return Plot(
        title="Latency of a cached query with 64 callers, by percentile",
        x=[f"p{percent}" for percent in SHOWN],
        y="milliseconds",
        lines=lines,
    )
