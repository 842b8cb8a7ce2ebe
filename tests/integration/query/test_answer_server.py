"""The second tier's server, a real one: whatever becomes of it, a query waits once, and shortly."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from query_service.cache import answer_server
from query_service.cache.answer_server import (
    KEY_PREFIX,
    MOST_AT_ONCE,
    MOST_BYTES,
    AnswersAway,
    RedisAnswers,
)
from tests.support.own_servers import OwnServer, own_valkey
from tests.support.ports import free_port
from tests.support.shared_cache import Servers
from tests.support.waiting import until

PATIENT_SECONDS = 30.0
"""Where nothing is wrong with the server: a busy machine is slow, not wrong."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_server, "ANSWER_SECONDS", PATIENT_SECONDS)
    monkeypatch.setattr(answer_server, "CONNECT_SECONDS", PATIENT_SECONDS)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[OwnServer]:
    async with own_valkey(tmp_path) as server:
        yield server


@pytest.fixture
async def answers(server: OwnServer) -> AsyncIterator[RedisAnswers]:
    answers = RedisAnswers(f"redis://{server.address}/0")
    yield answers
    await answers.close()


@pytest.fixture
async def operator(server: OwnServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(f"redis://{server.address}/0") as client:
        yield client


async def test_what_is_put_is_there_until_its_time_is_over(answers: RedisAnswers):
    assert await answers.get("a") is None
    await answers.put("a", b"\x00answer\xff", 60_000)
    assert await answers.get("a") == b"\x00answer\xff"
    await answers.put("b", b"short", 1)
    await asyncio.sleep(0.05)
    assert await answers.get("b") is None


async def test_processes_share_answers_over_it(answers: RedisAnswers):
    servers = Servers(answers)
    a, b = await servers.started(), await servers.started()
    await a.profile()
    await a.written()
    assert await b.profile() == (1, True)


async def test_of_a_value_that_is_none_of_ours_no_more_is_read_than_an_answer_may_have(
    answers: RedisAnswers, operator: Redis
):
    await operator.set(KEY_PREFIX + "a", b"x" * MOST_BYTES * 3)
    value = await answers.get("a")
    assert value is not None
    assert len(value) == MOST_BYTES


async def test_what_is_of_another_kind_is_no_answer_and_no_reason_to_leave_the_server(
    answers: RedisAnswers, operator: Redis
):
    await operator.lpush(KEY_PREFIX + "a", "x")  # type: ignore[misc] # the client is asynchronous
    with pytest.raises(AnswersAway):
        await answers.get("a")
    await answers.check()
    assert await answers.get("b") is None


async def test_a_server_without_room_is_read_and_not_written_for_a_while(
    answers: RedisAnswers, operator: Redis
):
    # given
    await answers.put("a", b"first", 60_000)
    await operator.config_set("maxmemory-policy", "noeviction")
    await operator.config_set("maxmemory", "1mb")
    # when
    with pytest.raises(AnswersAway):
        await answers.put("b", b"x" * 400_000, 60_000)
    # then
    assert await answers.get("a") == b"first"
    before = (await operator.info("commandstats"))["cmdstat_set"]["calls"]
    with pytest.raises(AnswersAway):
        await answers.put("c", b"small", 60_000)
    assert (await operator.info("commandstats"))["cmdstat_set"]["calls"] == before


async def test_a_server_that_hangs_is_waited_for_once_and_used_again_when_it_answers(
    server: OwnServer, answers: RedisAnswers, monkeypatch: pytest.MonkeyPatch
):
    # given
    await answers.put("a", b"answer", 60_000)
    monkeypatch.setattr(answer_server, "CONNECT_SECONDS", 1.0)
    with server.frozen():
        # when many wait together
        monkeypatch.setattr(answer_server, "ANSWER_SECONDS", 0.05)
        async with asyncio.timeout(PATIENT_SECONDS):
            many = [answers.get("a") for _ in range(MOST_AT_ONCE * 2)]
            outcomes = await asyncio.gather(*many, return_exceptions=True)
        assert {type(one) for one in outcomes} == {AnswersAway}
        # then nobody waits again, though it took until tomorrow
        monkeypatch.setattr(answer_server, "ANSWER_SECONDS", 86_400.0)
        async with asyncio.timeout(PATIENT_SECONDS):
            for _ in range(100):
                with pytest.raises(AnswersAway):
                    await answers.get("a")
        with pytest.raises(ConnectionError):
            await answers.check()
    await until(lambda: not answers.is_left_alone)
    await answers.check()
    assert await answers.get("a") == b"answer"


async def test_a_server_that_was_killed_and_lost_everything_is_used_again(
    server: OwnServer, answers: RedisAnswers
):
    await answers.put("a", b"answer", 60_000)
    await server.kill()
    with pytest.raises(AnswersAway):
        await answers.get("a")
    await server.start()
    await until(lambda: not answers.is_left_alone)
    await answers.check()
    assert await answers.get("a") is None


async def test_nobody_there_is_left_alone_longer_and_longer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(answer_server, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(answer_server, "LAST_PAUSE_SECONDS", 0.04)
    nobody = RedisAnswers(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(AnswersAway):
        await nobody.get("a")
    await asyncio.sleep(0.3)
    assert nobody._pause == 0.04
    await nobody.close()
