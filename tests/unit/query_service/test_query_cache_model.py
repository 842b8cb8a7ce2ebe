"""The cache against a model so naive that it is plainly right."""

import asyncio
import math
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from query_service.cache.query_cache import Loaded, QueryCache

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
) -> None:
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
