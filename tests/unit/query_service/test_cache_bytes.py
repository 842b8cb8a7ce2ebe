"""The cache is bounded in bytes, whatever callers ask for, and does what a naive model does."""

import asyncio
import math
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from query_service.cache.entries import ENTRY_BYTES, TAG_BYTES, child_tag, text_bytes
from query_service.cache.query_cache import QueryCache
from query_service.cache.second_tier import Loaded
from query_service.queries.get_child_profile import GetChildProfile
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.queries.query import Query
from query_service.queries.search_children import SearchChildren
from tests.support.query_side import OFFICER, QuerySide
from tests.support.read_model_builders import NOON, sealed, violation

NO_TAGS: frozenset[str] = frozenset()
MEBIBYTE = 1_048_576


@pytest.fixture
def cache() -> QueryCache[str]:
    """Of 1 MiB: one answer may take 10 KiB of it."""
    cache: QueryCache[str] = QueryCache(10_000, time.monotonic, max_bytes=MEBIBYTE)
    cache.resume()
    return cache


async def keep(cache: QueryCache[str], key: object, size: int, tags: frozenset[str] = NO_TAGS):
    async def load() -> Loaded[str]:
        return Loaded("value", size=size)

    return await cache.get_or_load(key, 1_000, tags, load)


async def test_the_least_recently_used_make_room_once_bytes_are_full(cache: QueryCache[str]):
    # given
    weight = 5_000 + ENTRY_BYTES
    fitting = MEBIBYTE // weight
    # when
    for number in range(fitting + 3):
        await keep(cache, number, 5_000)
    # then
    statistics = cache.statistics()
    assert statistics.size == fitting
    assert statistics.bytes == fitting * weight <= statistics.max_bytes == MEBIBYTE
    assert (statistics.evictions, statistics.evictions_by_bytes) == (3, 3)
    assert (await keep(cache, 0, 5_000))[1] is False


async def test_an_answer_that_is_too_large_is_given_and_not_kept(cache: QueryCache[str]):
    await keep(cache, "small", 100)
    given = await keep(cache, "large", MEBIBYTE // 100)
    assert given == ("value", False)
    statistics = cache.statistics()
    assert (statistics.size, statistics.too_large, statistics.evictions) == (1, 1, 0)


async def test_what_grew_too_large_leaves_nothing_older_behind(cache: QueryCache[str]):
    await keep(cache, "key", 100)

    # when it is read again, larger
    async def load() -> Loaded[str]:
        return Loaded("new", size=MEBIBYTE)

    await cache.get_or_load("key", 1_000, NO_TAGS, load, read_after=time.monotonic())
    assert cache.statistics().size == 0
    assert cache.statistics().bytes == 0


async def test_bytes_are_given_back_however_an_answer_leaves(cache: QueryCache[str]):
    for number in range(3):
        await keep(cache, number, 500, frozenset({child_tag(str(number))}))
    cache.invalidate({child_tag("0")})
    cache.suspend()
    cache.clear()
    assert cache.statistics().bytes == 0


async def test_tags_weigh_too(cache: QueryCache[str]):
    tags = frozenset(child_tag(str(number)) for number in range(10))
    await keep(cache, "key", 100, tags)
    assert cache.statistics().bytes == 100 + text_bytes("key") + ENTRY_BYTES + 10 * TAG_BYTES


async def test_a_load_that_misses_very_many_changes_is_not_kept(cache: QueryCache[str]):
    # given a load during which more changes come than are remembered
    async def load() -> Loaded[str]:
        for number in range(2_000):
            cache.invalidate({child_tag(f"other-{number}")})
        return Loaded("value")

    await cache.get_or_load("key", 1_000, frozenset({child_tag("lena")}), load)
    assert cache.statistics().size == 0


async def test_many_periods_of_a_child_of_many_violations_stay_within_the_bytes():
    # given 250 violations with long details, and a cache of 4 MiB
    side = QuerySide(cache_bytes=4 * MEBIBYTE)
    await side.child("lena")
    cipher = await side.keyring.create("lena")
    side.report(
        "lena",
        *(
            violation(
                f"v{n:03}", details=sealed(cipher, "lena", "details", "d" * 2_000, of=f"v{n:03}")
            )
            for n in range(250)
        ),
    )
    # when
    for minute in range(300):
        await side.ask(
            GetChildSafetyReport("lena", NOON - timedelta(days=9, minutes=minute), limit=15)
        )
    # then
    statistics = side.cache.statistics()
    assert statistics.bytes <= 4 * MEBIBYTE
    assert statistics.evictions_by_bytes > 0
    assert statistics.size > 50


LENA = "0192f0c1-7d3e-7a44-9c1b-4f0e6a2b8c11"
ASKED: dict[str, Callable[[int], Query]] = {
    "short texts": lambda n: GetChildSafetyReport(LENA, NOON - timedelta(minutes=n)),
    "profiles": lambda n: GetChildProfile(f"{LENA[:-4]}{n:04}"),
    "the longest search": lambda n: SearchChildren(
        name=f"{n:04} " + "ü" * 95,
        age_min=3,
        age_max=12,
        parent_id=f"{n:04}" + "p" * 60,
        violations="open",
        cursor=None,
    ),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_what_an_answer_takes_beside_its_body_is_not_more_than_it_is_counted_for(
    asked: Callable[[int], Query],
):
    # given
    side = QuerySide(cache_bytes=64 * MEBIBYTE)
    for n in range(301):
        await side.child(f"{LENA[:-4]}{n:04}", parent_id=f"parent-{n:04}")
    await side.child(LENA)
    await side.ask(asked(0))
    bodies_before = side.cache.statistics().bytes
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    # when 300 answers are kept
    for n in range(1, 301):
        await side.ask(asked(n))
    # then
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert side.cache.statistics().size == 301
    assert taken <= side.cache.statistics().bytes - bodies_before


async def test_an_admin_and_the_metrics_tell_bytes_and_evictions(side: QuerySide):
    # given
    await side.child("lena")
    async with side.client(OFFICER) as client:
        body = (await client.get("/v1/children/lena")).content
        metrics: httpx2.Response = await client.get("/metrics")
    # then
    reported = dict(line.rsplit(" ", 1) for line in metrics.text.splitlines() if line[0] != "#")
    assert float(reported["teddy_query_cache_bytes"]) > len(body)
    for reason in ("entries", "bytes", "too_large"):
        assert reported[f'teddy_query_cache_evictions_total{{reason="{reason}"}}'] == "0.0"


KEYS = ["a", "b", "c", "d"]
TAGS = ["child:1", "child:2", "parent:1"]
SIZE = 2


@dataclass
class Ask:
    key: str
    ttl: int
    tags: frozenset[str]
    mentions: frozenset[str]
    version: int | None


@dataclass
class Invalidate:
    tags: frozenset[str]
    reached: float


@dataclass
class Wait:
    seconds: int


@dataclass
class Clear:
    pass


@dataclass
class Naive:
    """A list of (key, value, tags, expires_at, version), the least recently used first."""

    entries: list[tuple[str, str, frozenset[str], float, float]] = field(default_factory=list)

    def ask(self, step: Ask, now: float, fresh: str) -> tuple[str, bool]:
        found = next((e for e in self.entries if e[0] == step.key and now < e[3]), None)
        self.entries = [e for e in self.entries if e[0] != step.key]
        version = -math.inf if step.version is None else step.version
        loaded = (step.key, fresh, step.tags | step.mentions, now + step.ttl, version)
        self.entries.append(found or loaded)
        self.entries = self.entries[-SIZE:]
        return (found[1], True) if found else (fresh, False)

    def drop_tags(self, tags: frozenset[str], reached: float) -> None:
        self.entries = [e for e in self.entries if e[2].isdisjoint(tags) or e[4] >= reached]


some_tags = st.frozensets(st.sampled_from(TAGS))
some_version = st.one_of(st.none(), st.integers(1, 3))
steps = st.lists(
    st.one_of(
        st.builds(
            Ask, st.sampled_from(KEYS), st.integers(1, 5), some_tags, some_tags, some_version
        ),
        st.builds(Invalidate, some_tags, st.one_of(st.integers(1, 3), st.just(math.inf))),
        st.builds(Wait, st.integers(1, 3)),
        st.builds(Clear),
    ),
    max_size=40,
)


@given(steps)
def test_whatever_happens_the_cache_answers_as_the_naive_one(
    steps: list[Ask | Invalidate | Wait | Clear],
):
    asyncio.run(_compare(steps))


async def _compare(steps: list[Ask | Invalidate | Wait | Clear]) -> None:
    now = 0.0
    cache: QueryCache[str] = QueryCache(SIZE, lambda: now)
    cache.resume()
    naive = Naive()
    for number, step in enumerate(steps):
        match step:
            case Ask():
                loaded = Loaded(f"{step.key}{number}", step.mentions, step.version)
                expected = naive.ask(step, now, loaded.value)
                assert await _ask(cache, step, loaded) == expected
            case Invalidate():
                cache.invalidate(step.tags, step.reached)
                naive.drop_tags(step.tags, step.reached)
            case Wait():
                now += step.seconds
            case Clear():
                cache.clear()
                naive.entries.clear()
        assert cache.statistics().size == len(naive.entries)


async def _ask(cache: QueryCache[str], step: Ask, loaded: Loaded[str]) -> tuple[str, bool]:
    async def load() -> Loaded[str]:
        return loaded

    return await cache.get_or_load(step.key, step.ttl, step.tags, load)
