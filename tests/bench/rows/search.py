"""Searches with every combination of conditions, and pages far behind, among 10,000 children, ten
times as many, and so on up to SIZE=."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import product
from statistics import median, quantiles

import uvloop

from query_service.read_store.port import VISIBLE_STATUSES, ChildFilter, PageEnd
from query_service.read_store.searching import search
from shared.mongo import Collection, Mongo
from shared.read_models.documents import EngagementLevel, Model, SafetyStatus
from tests.bench.crowd import DATABASE, INDEX, LIVE, crowd
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.world import World

LEAST = 10_000
PAGE = 20
FAR = 1_000
AGES = (None, (11, 12), (12, 12), (4, 9), (0, 99), (10, None))
WORDS = (None, "mia", "sm", "ngozi", "mac giolla", "mia smith")
"""Common, a common beginning, rare, two words, two common ones."""

Ask = Callable[[ChildFilter, PageEnd | None], Awaitable[int]]


def measure(world: World, rounds: int) -> Sequence[Result]:
    mongo, url = world.system.mongo, world.system.environment["TEDDY_READ_MONGO_URL"]
    sizes = [LEAST]
    while sizes[-1] * 10 <= world.size:
        sizes.append(sizes[-1] * 10)
    results, slowest = [], []
    for size in [1_000] if world.quick else sizes:
        with crowd(mongo, url, size):
            found = uvloop.run(_measured(url, size, rounds, world.scaled(1, 40)))
        slowest.append(found[0].value)
        results += found
    if not world.quick:
        lines = {"p99 of all combinations": slowest}
        title = "Searches by number of children"
        world.plots.append(
            Plot(title=title, x=[f"{size:,}" for size in sizes], y="milliseconds", lines=lines)
        )
    return results


def combinations(step: int = 1) -> list[ChildFilter]:
    """Every `step`-th combination of the documented conditions; a parent's children are few."""
    every = product(
        (None, *VISIBLE_STATUSES),
        (None, *SafetyStatus),
        (None, *EngagementLevel),
        AGES,
        WORDS,
        (False, True),
    )
    return [
        ChildFilter(
            status=status,
            safety_status=safety,
            engagement_level=engagement,
            age_min=None if age is None else age[0],
            age_max=None if age is None else age[1],
            name_tokens=() if word is None else INDEX.tokens_to_find(word),
            has_open_violations=has_open,
        )
        for status, safety, engagement, age, word, has_open in list(every)[::step]
    ]


async def _measured(url: str, size: int, rounds: int, step: int) -> list[Result]:
    async with _children(url) as children:
        took: list[float] = []
        for wanted in combinations(step):
            ask = partial(search, children, wanted, None, PAGE + 1)
            took.append(min([await _milliseconds(ask) for _ in range(rounds)]))
        number = min(FAR, size // PAGE // 2)
        far = await _end_of(children, number - 1)
        pages = [partial(search, children, ChildFilter(), end, PAGE + 1) for end in (None, far)]
        in_turns = [[await _milliseconds(page) for page in pages] for _ in range(20 * rounds)]
        first, late = (median(column) for column in zip(*in_turns, strict=True))
    what = f"search among {size:,} children"
    return [
        Result(
            name=f"{what}, p99 of {len(took)} combinations",
            value=quantiles(took, n=100)[98],
            unit="ms",
            goal=50,
            at_most=True,
        ),
        Result(
            name=f"{what}, page {number:,} beside page 1",
            value=late,
            unit="ms",
            baseline=first,
            goal=1.2,
            at_most=True,
        ),
    ]


@asynccontextmanager
async def _children(url: str) -> AsyncIterator[Collection]:
    mongo = Mongo(url)
    yield LIVE.collection(mongo.database(DATABASE), Model.CHILDREN)
    await mongo.close()


async def _milliseconds(ask: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await ask()
    return (time.perf_counter() - began) * 1e3


async def _end_of(children: Collection, number: int) -> PageEnd:
    """Where the page with this number ends."""
    newest = children.find({}, {"created_at": 1}).sort([("created_at", -1), ("_id", 1)])
    (last,) = await newest.skip(number * PAGE - 1).limit(1).to_list(1)
    return PageEnd(last["created_at"], last["_id"])
