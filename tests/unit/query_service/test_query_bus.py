from collections.abc import Hashable
from dataclasses import dataclass, replace

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from query_service.bus import QueryBus, Rendered, UnknownQuery
from query_service.cache.entries import Tag, child_tag
from query_service.cache.query_cache import QueryCache
from query_service.metrics import QueryMetrics
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Forbidden, Scope
from shared.auth.access import Principal, RateClass, Relation, Role, Rule, UnlistedOperation

ALICE = Principal("alice", Role.PARENT)
BOB = Principal("bob", Role.PARENT)
BEAR = Principal("bear", Role.DEVICE)
ACCESS = {"GetGreeting": Rule(RateClass.QUERIES, parent=Relation.OWN_FAMILY)}


@dataclass(frozen=True, slots=True)
class GetGreeting(Query):
    name: str


class Greeting(BaseModel):
    text: str


class GetGreetingHandler:
    ttl = 10.0

    def __init__(self) -> None:
        self.handled = 0

    def cache_key(self, query: GetGreeting) -> Hashable:
        return query.name

    def tags(self, query: GetGreeting) -> frozenset[Tag]:
        return frozenset({child_tag(query.name)})

    async def handle(self, query: GetGreeting, scope: Scope) -> Answer:
        self.handled += 1
        return Answer(Greeting(text=f"{scope.subject} greets {query.name}"), (), version=4)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def cache() -> QueryCache[Rendered]:
    cache: QueryCache[Rendered] = QueryCache(10, lambda: 0.0)
    cache.resume()
    return cache


@pytest.fixture
def bus(cache: QueryCache[Rendered], registry: CollectorRegistry) -> QueryBus:
    return QueryBus(cache, QueryMetrics(registry), ACCESS)


async def test_a_query_reaches_its_handler_once_and_then_comes_from_the_cache(bus: QueryBus):
    # given
    handler = GetGreetingHandler()
    bus.register_cached(GetGreeting, handler)
    # when
    first = await bus.ask(GetGreeting("lena"), ALICE)
    second = await bus.ask(GetGreeting("lena"), ALICE)
    # then
    assert first.rendered.body == b'{"text":"alice greets lena"}'
    assert (first.cached, second.cached) == (False, True)
    assert second.rendered is first.rendered
    assert first.rendered.version == 4
    assert handler.handled == 1


async def test_what_is_cached_for_one_is_never_served_to_another(bus: QueryBus):
    bus.register_cached(GetGreeting, GetGreetingHandler())
    await bus.ask(GetGreeting("lena"), ALICE)
    result = await bus.ask(GetGreeting("lena"), BOB)
    assert result.rendered.body == b'{"text":"bob greets lena"}'
    assert not result.cached


async def test_a_change_of_what_the_answer_is_about_drops_it(
    bus: QueryBus, cache: QueryCache[Rendered]
):
    bus.register_cached(GetGreeting, GetGreetingHandler())
    await bus.ask(GetGreeting("lena"), ALICE)
    cache.invalidate((child_tag("lena"),))
    assert not (await bus.ask(GetGreeting("lena"), ALICE)).cached


class GetHastyGreetingHandler(GetGreetingHandler):
    """Lena's greetings grow old sooner than others, nobody's later."""

    async def handle(self, query: GetGreeting, scope: Scope) -> Answer:
        answer = await super().handle(query, scope)
        return replace(answer, ttl=4.0 if query.name == "lena" else 1_000.0)


async def test_an_answer_lives_as_long_as_it_says_and_its_handler_allows(
    registry: CollectorRegistry,
):
    # given
    now = 0.0
    cache: QueryCache[Rendered] = QueryCache(10, lambda: now)
    cache.resume()
    bus = QueryBus(cache, QueryMetrics(registry), ACCESS)
    bus.register_cached(GetGreeting, GetHastyGreetingHandler())

    async def kept() -> list[bool]:
        names = ("lena", "tom")
        return [(await bus.ask(GetGreeting(name), ALICE)).cached for name in names]

    assert await kept() == [False, False]
    # when / then
    now = 3.0
    assert await kept() == [True, True]
    now = 9.0
    assert await kept() == [False, True]
    now = 12.0
    assert await kept() == [True, False]


async def test_an_answer_of_a_handler_without_cache_is_never_kept(
    bus: QueryBus, cache: QueryCache[Rendered]
):
    handler = GetGreetingHandler()
    bus.register(GetGreeting, handler)
    results = [await bus.ask(GetGreeting("lena"), ALICE) for _ in range(2)]
    assert [result.cached for result in results] == [False, False]
    assert handler.handled == 2
    assert cache.statistics().size == 0


async def test_a_role_outside_the_audience_is_refused_before_anything_is_read(bus: QueryBus):
    handler = GetGreetingHandler()
    bus.register_cached(GetGreeting, handler)
    with pytest.raises(Forbidden):
        await bus.ask(GetGreeting("lena"), BEAR)
    assert handler.handled == 0


async def test_a_query_has_exactly_one_handler(bus: QueryBus):
    with pytest.raises(UnknownQuery, match="GetGreeting has no handler"):
        await bus.ask(GetGreeting("lena"), ALICE)
    bus.register_cached(GetGreeting, GetGreetingHandler())
    with pytest.raises(ValueError, match="GetGreeting already has a handler"):
        bus.register(GetGreeting, GetGreetingHandler())


def test_a_query_of_which_nobody_said_who_may_ask_is_not_registered(
    cache: QueryCache[Rendered], registry: CollectorRegistry
):
    bus = QueryBus(cache, QueryMetrics(registry))
    with pytest.raises(UnlistedOperation, match="GetGreeting has no row"):
        bus.register(GetGreeting, GetGreetingHandler())


def test_the_bus_tells_what_it_answers(bus: QueryBus):
    # given
    assert bus.health() == {"status": "down", "handlers": 0}
    # when
    bus.register_cached(GetGreeting, GetGreetingHandler())
    # then
    (description,) = bus.handlers
    assert description.query == "GetGreeting"
    assert description.handler == "GetGreetingHandler"
    assert description.cache_seconds == 10
    assert description.audience == ["admin", "parent"]
    assert bus.health() == {"status": "up", "handlers": 1}


async def test_every_query_is_counted_by_its_outcome(bus: QueryBus, registry: CollectorRegistry):
    # given
    bus.register_cached(GetGreeting, GetGreetingHandler())
    # when
    for _ in range(3):
        await bus.ask(GetGreeting("lena"), ALICE)
    # then
    labels = {"query": "GetGreeting"}
    assert registry.get_sample_value("teddy_queries_total", labels | {"outcome": "miss"}) == 1
    assert registry.get_sample_value("teddy_queries_total", labels | {"outcome": "hit"}) == 2
    assert registry.get_sample_value("teddy_query_seconds_count", labels) == 3
