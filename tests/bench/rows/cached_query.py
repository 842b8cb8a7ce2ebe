"""A profile from the cache, beside a FastAPI endpoint that returns the same headers and body as a
constant, and beside bare ASGI."""

from collections.abc import Sequence
from functools import partial
from statistics import median
from tempfile import NamedTemporaryFile

import httpx2
import orjson

from tests.bench.load_generator import Broken, Driven
from tests.bench.people import Bear, talking_bears, versions
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.system import System
from tests.bench.world import World
from tests.support.raw_http import request

CALLERS, CHILDREN = 64, 100
OF_THE_SERVER = {"date", "server", "content-length", "content-type"}
"""Headers that the constant's own server adds."""

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
    reads = _reads(children) * world.scaled(200, 5)
    system.drive("query", _reads(children), 1)
    done: dict[str, list[tuple[Driven, float]]] = {HERE: [], FASTAPI: [], ASGI: []}
    for _ in range(rounds):
        done[HERE].append(_cached(system, reads))
        for name, constant in constants.items():
            driven, spent = constant.drive(reads, CALLERS)
            done[name].append((driven, spent.of_all(len(reads))))
    world.plots.append(_plot(done))
    return _results(done)


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
    if driven.hits < len(reads):
        raise Broken(f"only {driven.hits} of {len(reads)} answers came from the cache")
    return driven, spent.of("query", len(reads))


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
