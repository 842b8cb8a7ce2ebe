"""The second tier of the query cache: what one process read serves another, never too late."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import fields

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from query_service.bus import Rendered
from query_service.cache.answer_server import MOST_BYTES
from query_service.cache.journal import DOUBT_SECONDS, SKEW_SECONDS, FeedJournal
from query_service.cache.query_cache import QueryCache
from query_service.cache.second_tier import Loaded
from query_service.metrics import QueryMetrics
from query_service.queries.query import Query
from query_service.shared_answers import MOST_WRITES, digest_of_code
from shared.keyring.keyring import ChildCipher
from shared.read_models.notices import CLEAR
from tests.fakes.answers import MemoryAnswers
from tests.support.shared_cache import TTL, QueryProcess, Servers
from tests.support.waiting import until


@pytest.fixture
def answers() -> MemoryAnswers:
    return MemoryAnswers()


@pytest.fixture
def servers(answers: MemoryAnswers) -> Servers:
    return Servers(answers)


@pytest.fixture
async def a(servers: Servers) -> QueryProcess:
    return await servers.started()


@pytest.fixture
async def b(servers: Servers, a: QueryProcess) -> QueryProcess:
    return await servers.started(boot=70_000.0)


def looked_up(process: QueryProcess) -> dict[str, int]:
    return {how: n for (what, how), n in process.second.counts.items() if what == "lookup"}


async def shared(process: QueryProcess) -> None:
    """The process read the profile and the family, and both are on the server."""
    await process.profile()
    await process.family()
    await process.written()


async def test_at_a_notice_to_forget_every_process_forgets_also_what_they_share(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    # given
    await shared(a)
    assert await b.profile() == (1, True)
    servers.versions["lena"] = 5  # of which no notice tells
    await servers.key_store.destroy("mia")
    assert await b.keyring.cipher("mia")
    # when
    for process in (a, b):
        process.receive_record(CLEAR.to_json())
    # then
    assert [await process.profile() for process in (a, b)] == [(5, False)] * 2
    assert await b.keyring.cipher("mia") is None


async def test_what_one_process_read_is_a_hit_in_another(a: QueryProcess, b: QueryProcess):
    await shared(a)
    assert await b.profile() == (1, True)
    assert await b.family() == ("1/1", True)
    assert b.loads == 0
    # and stays in its own cache
    assert await b.profile() == (1, True)
    assert looked_up(b) == {"hit": 2}


async def test_an_answer_is_as_old_in_the_other_process_as_it_is(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    await shared(a)
    servers.now += 40
    found = await b.second.find(("weiss", "lena"))
    assert found is not None
    assert (found.value.body, found.value.etag) == (b"1", "\"b'1'\"")
    assert b.cache.now() - found.value.read_at == pytest.approx(40)
    assert found.ttl == pytest.approx(TTL - 40)
    servers.now += TTL - 40
    assert await b.second.find(("weiss", "lena")) is None


async def test_who_asks_is_part_of_the_key(a: QueryProcess, b: QueryProcess):
    await shared(a)
    assert await b.profile(who="somebody else") == (1, False)


async def test_a_change_drops_the_answer_with_its_notice(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    # given
    await shared(a)
    servers.change("lena")
    servers.publish("lena")
    # when
    b.receive_all()
    # then
    assert await b.profile() == (2, False)
    assert await b.family() == ("2/1", False)
    assert looked_up(b) == {"outdated": 2}


async def test_a_change_of_one_child_leaves_the_profile_of_another(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    await shared(a)
    servers.publish("mia")
    b.receive_all()
    assert await b.profile() == (1, True)
    assert await b.family() == ("1/1", False)


async def test_an_answer_from_before_a_change_that_is_written_behind_it_serves_nobody(
    servers: Servers, answers: MemoryAnswers, a: QueryProcess, b: QueryProcess
):
    # given a process that read, and is slow
    a.waits = True
    asking = asyncio.create_task(a.profile())
    await until(lambda: bool(a.gates), 5)
    # when the change and its notice overtake it, but do not reach it
    servers.change("lena")
    servers.publish("lena")
    b.receive_all()
    a.gates.pop().set()
    assert await asking == (1, False)
    await a.written()
    # then what it wrote is on the server, and nobody's answer who knows of the change
    assert len(answers.values) == 1
    assert await b.profile() == (2, False)


async def test_an_answer_that_shows_the_change_is_kept_though_the_notice_comes_later(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    servers.change("lena")
    await shared(a)
    servers.publish("lena")
    b.receive_all()
    assert await b.profile() == (2, True)
    assert await b.family() == ("2/1", False)  # of several children: no version tells


async def test_a_mark_makes_every_version_out_of_date(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    await shared(a)
    servers.publish("lena", marked=True)
    servers.publish("lena")
    b.receive_all()
    assert await b.profile() == (1, False)


async def test_who_reads_their_own_writes_is_answered_from_the_store(
    a: QueryProcess, b: QueryProcess, servers: Servers
):
    # given an answer that another process read
    await shared(a)
    assert await b.profile() == (1, True)
    # when
    servers.change("lena")
    assert await b.profile(read_after=b.cache.now()) == (2, False)
    # then
    assert b.loads == 1


async def test_nobody_who_reads_their_own_writes_waits_for_what_another_process_read(
    a: QueryProcess, b: QueryProcess, servers: Servers
):
    # given one who asks without a token, and looks into the second tier
    await shared(a)
    servers.change("lena")
    asking = asyncio.create_task(b.profile())
    await asyncio.sleep(0)
    # when one with a token asks meanwhile
    own = await b.profile(read_after=b.cache.now() - 1)
    # then
    assert (await asking, own) == ((1, True), (2, False))


async def test_a_process_trusts_nothing_that_was_read_before_it_followed_the_feed(
    servers: Servers, a: QueryProcess
):
    await shared(a)
    servers.now += 60
    b = await servers.started()
    assert await b.profile() == (1, False)
    # nor what was read while the others may not know yet that the topic began anew
    b.connect()
    servers.now += DOUBT_SECONDS - 0.1
    await a.profile(who="second")
    await a.written()
    servers.now += 60
    assert await b.profile(who="second") == (1, False)


async def test_a_topic_made_anew_makes_no_old_answer_a_new_one(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    # given an answer from far on in the topic
    for _ in range(9):
        servers.publish("lena")
    a.receive_all()
    await shared(a)
    # when the topic begins from 0, with a change
    servers.topic = [[], []]
    servers.now += 60
    b.connect()
    servers.change("lena")
    servers.publish("lena")
    b.receive_all()
    # then
    assert await b.profile() == (2, False)


async def test_what_was_read_in_the_future_is_not_trusted(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    await shared(a)
    servers.now -= SKEW_SECONDS + 1
    assert await b.second.find(("weiss", "lena")) is None


async def test_while_the_feed_is_down_the_second_tier_is_left_alone(
    servers: Servers, answers: MemoryAnswers, a: QueryProcess, b: QueryProcess
):
    await shared(a)
    asked = answers.asked
    b.invalidation.connection_changed(False)
    assert await b.profile() == (1, False)
    await b.written()
    assert answers.asked == asked


async def test_a_cleared_cache_finds_nothing_from_before(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    await shared(a)
    b.cache.clear()
    servers.now += 60
    assert await b.profile() == (1, False)


async def test_another_generation_of_the_read_models_shares_no_answers(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    await shared(a)
    servers.generation = 2
    assert await b.profile() == (1, False)


async def test_notices_that_are_forgotten_take_the_answers_from_before_with_them(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    await shared(a)
    await a.profile("mia")
    await a.written()
    b.journal.most = 3
    servers.publish("lena")
    servers.publish("lena")
    servers.publish("mia")
    b.receive_all()
    assert await b.profile() == (1, False)
    assert await b.profile("mia") == (1, False)


async def test_an_erased_childs_answers_open_no_more(
    servers: Servers, a: QueryProcess, b: QueryProcess
):
    # given answers of a child, and of it and its sister
    await shared(a)
    # when its key is destroyed, and this process only has not got it
    await servers.key_store.destroy("lena")
    b.keyring.forget("lena")
    # then
    assert await b.second.find(("weiss", "lena")) is None
    assert await b.second.find("weiss") is None
    assert looked_up(b) == {"unreadable": 2}


async def test_of_a_child_whose_key_is_gone_or_does_not_open_nothing_is_written(
    servers: Servers, answers: MemoryAnswers, a: QueryProcess
):
    await servers.key_store.destroy("lena")
    a.keyring.forget("lena")
    await shared(a)
    assert answers.values == {}
    assert a.second.counts["write", "skipped"] == 2


async def test_the_server_sees_nothing_of_what_it_keeps(
    servers: Servers, answers: MemoryAnswers, a: QueryProcess
):
    await shared(a)
    seen = b"".join(key.encode() + value for key, value in answers.values.items())
    assert len(answers.values) == 2
    for secret in (b"lena", b"mia", b"weiss", b"1/1"):
        assert secret not in seen


@pytest.mark.parametrize(
    "wrong",
    [
        lambda value: value[:-1],
        lambda value: value[:20],
        lambda value: b"x",
        lambda value: value[:40] + bytes([value[40] ^ 1]) + value[41:],
        lambda value: bytes(100),
    ],
)
async def test_a_value_that_was_altered_is_not_an_answer(
    answers: MemoryAnswers, a: QueryProcess, b: QueryProcess, wrong
):
    await shared(a)
    answers.values = {key: wrong(value) for key, value in answers.values.items()}
    assert await b.profile() == (1, False)
    assert looked_up(b) == {"unreadable": 1}


async def test_a_value_that_was_moved_is_not_an_answer(
    answers: MemoryAnswers, a: QueryProcess, b: QueryProcess
):
    await a.profile("lena")
    await a.profile("mia")
    await a.written()
    first, second = answers.values
    answers.values = {first: answers.values[second], second: answers.values[first]}
    assert await b.second.find(("weiss", "lena")) is None
    assert await b.profile("mia") == (1, False)


async def test_an_old_value_that_was_put_back_is_not_an_answer(
    servers: Servers, answers: MemoryAnswers, a: QueryProcess, b: QueryProcess
):
    # given
    await shared(a)
    old = dict(answers.values)
    servers.change("lena")
    servers.publish("lena")
    a.receive_all()
    b.receive_all()
    await shared(a)
    # when
    answers.values = old
    # then
    assert await b.profile() == (2, False)


async def test_a_server_that_does_not_answer_costs_an_error_and_no_answer(
    answers: MemoryAnswers, a: QueryProcess
):
    answers.away = True
    await shared(a)
    assert a.second.counts == {("lookup", "error"): 2, ("write", "error"): 2}


async def test_what_is_too_large_or_too_short_lived_or_too_much_at_once_is_not_written(
    servers: Servers, answers: MemoryAnswers, a: QueryProcess
):
    # given one that is large
    loaded = Loaded(Rendered(b"small", "e", None))
    big = Loaded(Rendered(b"x" * MOST_BYTES, "e", None))
    a.second.keep("big", big, (), 60)
    await a.written()
    # and one that lives for a moment
    a.second.keep("short", loaded, (), 0.5)
    await a.written()
    assert answers.values == {}
    # when many come at once
    for number in range(MOST_WRITES + 3):
        a.second.keep(number, loaded, (), 60)
    await a.written()
    # then
    assert len(answers.values) == MOST_WRITES
    assert a.second.counts["write", "skipped"] == 5


async def test_a_change_that_comes_while_the_keys_are_read_is_not_overlooked(
    servers: Servers, a: QueryProcess, b: QueryProcess, monkeypatch: pytest.MonkeyPatch
):
    # given
    await shared(a)
    servers.change("lena")
    servers.publish("lena")
    ciphers = b.keyring.ciphers

    async def slowly(children: Collection[str]) -> dict[str, ChildCipher]:
        b.receive_all()
        return await ciphers(children)

    # when
    monkeypatch.setattr(b.keyring, "ciphers", slowly)
    # then
    assert await b.second.find(("weiss", "lena")) is None
    assert looked_up(b) == {"outdated": 1}


def test_whatever_clocks_say_nothing_from_before_the_feed_was_followed_is_trusted():
    journal = FeedJournal(lambda: 100.0)
    journal.begin({0: 7, 1: 3})
    later = 100.0 + DOUBT_SECONDS
    journal.now = lambda: later
    assert journal.shows((7, 3), later, ["child:lena"], None)
    assert journal.shows((9, 3), later, ["child:lena"], None)  # of who is ahead
    assert not journal.shows((7, 2), later, ["child:lena"], None)
    assert not journal.shows((7,), later, ["child:lena"], None)
    assert not journal.shows((7, 3), later - 0.1, ["child:lena"], None)


def test_behind_a_record_that_cannot_be_read_nothing_from_before_is_trusted():
    now = 100.0
    journal = FeedJournal(lambda: now)
    journal.begin({0: 7})
    now += DOUBT_SECONDS
    journal.passed(0, 7, None)
    journal.forget()
    now += DOUBT_SECONDS
    assert not journal.shows((7,), now, (), None)
    assert journal.shows((8,), now, (), None)


def test_processes_of_other_code_share_no_answers():
    assert digest_of_code() == digest_of_code()
    assert len(digest_of_code()) == 16


@pytest.mark.parametrize("query", [*Query.__subclasses__()], ids=lambda query: query.__name__)
def test_the_text_of_a_query_says_all_that_tells_it_from_others(query: type[Query]):
    """It becomes the key of its answer."""
    assert all(one.repr for one in fields(query))
    assert query.__repr__ is not Query.__repr__


async def test_the_metrics_tell_lookups_by_tier_and_writes(a: QueryProcess, b: QueryProcess):
    # given
    registry = CollectorRegistry()
    QueryMetrics(registry).watch(b.cache, lambda: None)
    await shared(a)
    await b.profile()
    await b.profile()
    await b.profile("mia")
    await b.written()

    # then
    def counted(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"teddy_query_cache_{name}_total", labels)

    assert counted("lookups", tier="process", outcome="hit") == 1
    assert counted("lookups", tier="process", outcome="miss") == 2
    assert counted("lookups", tier="shared", outcome="hit") == 1
    assert counted("lookups", tier="shared", outcome="miss") == 1
    assert counted("lookups", tier="shared", outcome="error") == 0
    assert counted("writes", outcome="written") == 1


def test_without_a_shared_tier_the_metrics_name_none():
    registry = CollectorRegistry()
    QueryMetrics(registry).watch(QueryCache[str](10, time.monotonic), lambda: None)
    text = generate_latest(registry).decode()
    assert 'tier="process"' in text
    assert 'tier="shared"' not in text
