import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from query_service.cache.entries import child_tag, parent_tag
from query_service.cache.query_cache import QueryCache
from query_service.cache.second_tier import Loaded

NO_TAGS: frozenset[str] = frozenset()
LENA = frozenset({child_tag("lena")})

Load = Callable[[], Awaitable[Loaded[str]]]


class Seconds:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class SlowLoad:
    """A load that gives its value when it is told to."""

    def __init__(
        self, value: str = "value", mentions: frozenset[str] = NO_TAGS, version: int | None = None
    ) -> None:
        self._loaded = Loaded(value, mentions, version)
        self.started = asyncio.Event()
        self.may_finish = asyncio.Event()
        self.calls = 0

    async def __call__(self) -> Loaded[str]:
        self.calls += 1
        self.started.set()
        await self.may_finish.wait()
        return self._loaded


def gives(value: str, mentions: frozenset[str] = NO_TAGS, version: int | None = None) -> Load:
    async def load() -> Loaded[str]:
        return Loaded(value, mentions, version)

    return load


async def refuses() -> Loaded[str]:
    raise AssertionError("this should have come from the cache")


async def fails() -> Loaded[str]:
    raise LookupError("no such thing")


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def cache(seconds: Seconds) -> QueryCache[str]:
    cache: QueryCache[str] = QueryCache(3, seconds)
    cache.resume()
    return cache


async def under_way(
    cache: QueryCache[str], load: SlowLoad, key: str, tags: frozenset[str]
) -> "asyncio.Task[tuple[str, bool]]":
    """What was asked for, and whose load has begun."""
    asking = asyncio.create_task(cache.get_or_load(key, 10, tags, load))
    await load.started.wait()
    return asking


async def test_the_second_time_the_answer_comes_from_the_cache(cache: QueryCache[str]):
    assert await cache.get_or_load("key", 10, NO_TAGS, gives("value")) == ("value", False)
    again = await cache.get_or_load("key", 10, NO_TAGS, refuses)
    assert again == ("value", True)


async def test_an_answer_is_read_again_once_its_life_is_over(
    cache: QueryCache[str], seconds: Seconds
):
    await cache.get_or_load("key", 10, NO_TAGS, gives("old"))
    seconds.now += 10
    again = await cache.get_or_load("key", 10, NO_TAGS, gives("new"))
    assert again == ("new", False)
    assert cache.statistics().expirations == 1


async def test_the_least_recently_used_answer_makes_room(cache: QueryCache[str]):
    # given three answers, the first of them used again
    for key in ("a", "b", "c"):
        await cache.get_or_load(key, 10, NO_TAGS, gives(key))
    await cache.get_or_load("a", 10, NO_TAGS, refuses)
    # when a fourth comes
    await cache.get_or_load("d", 10, NO_TAGS, gives("d"))
    # then
    assert await cache.get_or_load("a", 10, NO_TAGS, refuses) == ("a", True)
    assert await cache.get_or_load("b", 10, NO_TAGS, gives("b again")) == ("b again", False)
    assert cache.statistics().size == 3
    assert cache.statistics().evictions == 2


async def test_all_who_ask_at_once_share_one_load(cache: QueryCache[str]):
    # given fifty who ask
    load = SlowLoad()
    asking = [asyncio.create_task(cache.get_or_load("key", 10, NO_TAGS, load)) for _ in range(50)]
    await load.started.wait()
    # when
    load.may_finish.set()
    answers = await asyncio.gather(*asking)
    # then
    assert set(answers) == {("value", False)}
    assert load.calls == 1
    assert cache.statistics().shared == 49


async def test_a_failure_is_everyones_who_waited_and_is_not_kept(cache: QueryCache[str]):
    # given two who ask for what fails
    asking = [cache.get_or_load("key", 10, NO_TAGS, fails) for _ in range(2)]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LookupError, LookupError]
    assert await cache.get_or_load("key", 10, NO_TAGS, gives("value")) == ("value", False)


async def test_one_who_goes_away_does_not_take_the_load_from_the_others(cache: QueryCache[str]):
    # given
    load = SlowLoad()
    first = asyncio.create_task(cache.get_or_load("key", 10, NO_TAGS, load))
    second = asyncio.create_task(cache.get_or_load("key", 10, NO_TAGS, load))
    await load.started.wait()
    # when
    first.cancel()
    load.may_finish.set()
    # then
    assert await second == ("value", False)


async def test_a_load_that_fails_after_everyone_left_warns_nobody(cache: QueryCache[str]):
    # given
    load, failing = SlowLoad(), asyncio.Event()
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))

    async def fails_late() -> Loaded[str]:
        await load()
        failing.set()
        raise LookupError

    asking = asyncio.create_task(cache.get_or_load("key", 10, NO_TAGS, fails_late))
    await load.started.wait()
    asking.cancel()
    # when
    load.may_finish.set()
    await failing.wait()
    await asyncio.gather(asking, return_exceptions=True)
    gc.collect()
    # then
    loop.set_exception_handler(None)
    assert complaints == []
    assert cache.statistics().loading == 0


async def test_a_change_drops_the_answers_that_carry_its_tag(cache: QueryCache[str]):
    # given
    await cache.get_or_load("profile", 10, LENA, gives("profile"))
    await cache.get_or_load("search", 10, NO_TAGS, gives("search", mentions=LENA))
    await cache.get_or_load("other", 10, frozenset({parent_tag("p")}), gives("other"))
    # when
    dropped = cache.invalidate((child_tag("lena"), parent_tag("nobody")))
    # then
    assert dropped == 2
    assert cache.statistics().invalidations == 2
    assert await cache.get_or_load("other", 10, NO_TAGS, refuses) == ("other", True)
    assert await cache.get_or_load("profile", 10, LENA, gives("new")) == ("new", False)


async def test_a_change_during_a_load_prevents_that_the_stale_answer_is_kept(
    cache: QueryCache[str],
):
    asking = await under_way(cache, load := SlowLoad("stale"), "profile", LENA)
    cache.invalidate(LENA)
    load.may_finish.set()
    assert await asking == ("stale", False)
    assert await cache.get_or_load("profile", 10, LENA, gives("new")) == ("new", False)


async def test_a_change_of_what_only_the_answer_reveals_counts_during_the_load_too(
    cache: QueryCache[str],
):
    # given a search that will turn out to show Lena
    asking = await under_way(cache, load := SlowLoad("stale", mentions=LENA), "search", NO_TAGS)
    cache.invalidate(LENA)
    load.may_finish.set()
    await asking
    assert cache.statistics().size == 0


async def test_who_asks_after_a_change_does_not_join_a_load_from_before(cache: QueryCache[str]):
    # given
    before = await under_way(cache, load := SlowLoad("stale"), "profile", LENA)
    # when
    cache.invalidate(LENA)
    after = await cache.get_or_load("profile", 10, LENA, gives("new"))
    load.may_finish.set()
    # then
    assert after == ("new", False)
    assert await before == ("stale", False)
    assert await cache.get_or_load("profile", 10, LENA, refuses) == ("new", True)


@pytest.mark.parametrize(
    ("shown", "reached", "stays"), [(3, 3, True), (4, 3, True), (2, 3, False), (None, 3, False)]
)
async def test_an_answer_that_shows_the_announced_version_already_stays(
    cache: QueryCache[str], shown: int | None, reached: int, stays: bool
):
    await cache.get_or_load("profile", 10, LENA, gives("profile", version=shown))
    # when the notice comes after the answer
    dropped = cache.invalidate(LENA, reached)
    assert dropped == (0 if stays else 1)
    assert cache.statistics().size == (1 if stays else 0)


@pytest.mark.parametrize(("shown", "kept"), [(3, 1), (2, 0)])
async def test_a_load_is_kept_if_it_shows_what_was_announced_meanwhile(
    cache: QueryCache[str], shown: int, kept: int
):
    asking = await under_way(cache, load := SlowLoad(version=shown), "profile", LENA)
    # when two notices come, the later one first
    cache.invalidate(LENA, 3)
    cache.invalidate(LENA, 2)
    load.may_finish.set()
    await asking
    assert cache.statistics().size == kept


async def test_clearing_drops_everything_also_what_is_being_loaded(cache: QueryCache[str]):
    # given
    await cache.get_or_load("kept", 10, LENA, gives("kept"))
    asking = await under_way(cache, load := SlowLoad(), "loading", NO_TAGS)
    # when
    removed = cache.clear()
    load.may_finish.set()
    await asking
    # then
    assert removed == 1
    assert cache.statistics().size == 0


async def test_nothing_is_kept_while_invalidations_may_be_missed(cache: QueryCache[str]):
    await cache.get_or_load("key", 10, NO_TAGS, gives("old"))
    cache.suspend()
    assert await cache.get_or_load("key", 10, NO_TAGS, gives("new")) == ("new", False)
    assert cache.statistics().size == 0
    assert not cache.statistics().keeping


async def test_while_invalidations_may_be_missed_answers_live_a_short_life(seconds: Seconds):
    # given one from before and one from meanwhile
    cache: QueryCache[str] = QueryCache(3, seconds, unwatched_seconds=5)
    cache.resume()
    await cache.get_or_load("before", 1_000, NO_TAGS, gives("old"))
    cache.suspend()
    await cache.get_or_load("meanwhile", 1_000, NO_TAGS, gives("old"))
    # when
    seconds.now += 4
    # then
    for key in ("before", "meanwhile"):
        assert await cache.get_or_load(key, 1_000, NO_TAGS, gives("new")) == ("old", True)
    # when
    seconds.now += 1
    # then
    for key in ("before", "meanwhile"):
        assert await cache.get_or_load(key, 1_000, NO_TAGS, gives("new")) == ("new", False)


async def test_a_short_life_is_not_prolonged_by_a_feed_that_goes_away(seconds: Seconds):
    cache: QueryCache[str] = QueryCache(3, seconds, unwatched_seconds=5)
    cache.resume()
    await cache.get_or_load("key", 2, NO_TAGS, gives("old"))
    cache.suspend()
    seconds.now += 3
    assert await cache.get_or_load("key", 2, NO_TAGS, gives("new")) == ("new", False)


async def test_what_was_read_before_invalidations_came_again_is_not_kept(cache: QueryCache[str]):
    # given a load that begins while invalidations are missed
    cache.suspend()
    asking = await under_way(cache, load := SlowLoad(), "key", NO_TAGS)
    # when
    cache.resume()
    load.may_finish.set()
    await asking
    # then
    assert cache.statistics().size == 0
    assert cache.statistics().keeping


async def test_who_must_see_a_moment_gets_nothing_that_was_read_before_it(
    cache: QueryCache[str], seconds: Seconds
):
    # given an answer read at 1,000
    await cache.get_or_load("key", 100, NO_TAGS, gives("old"))
    seconds.now += 5
    # when somebody must see what was true at 1,001
    fresh = await cache.get_or_load("key", 100, NO_TAGS, gives("new"), read_after=1_001.0)
    # then it is read again, and from then on serves everyone
    assert fresh == ("new", False)
    again = await cache.get_or_load("key", 100, NO_TAGS, refuses, read_after=1_001.0)
    assert again == ("new", True)


async def test_who_must_see_a_moment_does_not_join_a_load_from_before_it(
    cache: QueryCache[str], seconds: Seconds
):
    # given
    load = SlowLoad("old")
    earlier = asyncio.create_task(cache.get_or_load("key", 100, NO_TAGS, load))
    await load.started.wait()
    seconds.now += 5
    # when
    fresh = await cache.get_or_load("key", 100, NO_TAGS, gives("new"), read_after=1_001.0)
    load.may_finish.set()
    # then the earlier load, ending last, does not replace the newer answer
    assert fresh == ("new", False)
    assert await earlier == ("old", False)
    assert await cache.get_or_load("key", 100, NO_TAGS, refuses) == ("new", True)


async def test_statistics_tell_hits_and_misses(cache: QueryCache[str]):
    # given
    assert cache.statistics().hit_rate == 0.0
    # when
    await cache.get_or_load("key", 10, NO_TAGS, gives("value"))
    for _ in range(3):
        await cache.get_or_load("key", 10, NO_TAGS, refuses)
    # then
    statistics = cache.statistics()
    assert (statistics.hits, statistics.misses, statistics.hit_rate) == (3, 1, 0.75)
    assert (statistics.size, statistics.max_size) == (1, 3)
