"""TeddyClient.send_commands: over a command API in memory, and over answers that a test chose."""

from typing import Any

import httpx2
import orjson
import pytest

from shared.client import BatchCommand, TeddyClient
from shared.client.batch import MOST_AT_A_TIME, PATH
from shared.client.transport import ATTEMPTS
from tests.support.batches import a_talk
from tests.support.command_side import BEAR, CommandSide
from tests.support.consents import BORN

CHANGE: BatchCommand = {"command": "UpdateChildProfile", "path": {"child_id": "mia"}}
DONE = {"status": 200, "answer": {"child_id": "mia", "version": 3, "events": []}}
LATER = {"status": 503, "problem": {"code": "not-attempted"}, "retry_after": 1}


class Slices:
    """Answers each slice with what `results` has next, repeated for every command of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *results: list[dict[str, Any]]) -> None:
        self._results = iter(results)
        self.keys: list[list[str]] = []
        self.pauses: list[float] = []
        monkeypatch.setattr("shared.client.transport.Transport.pause", self._pause)

    async def _pause(self, seconds: float, _longest: float = 0) -> None:
        self.pauses.append(seconds)

    def client(self) -> TeddyClient:
        return TeddyClient("http://c", "http://q", "t", transport=httpx2.MockTransport(self))

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        assert (request.method, request.url.path) == ("POST", PATH)
        keys = [each["idempotency_key"] for each in orjson.loads(request.content)["commands"]]
        self.keys.append(keys)
        results = next(self._results)
        results = results * len(keys) if len(results) == 1 else results
        token = {"consistency_token": "token-of-mia"}
        return httpx2.Response(
            200, json={"results": [each | token if "answer" in each else each for each in results]}
        )


async def test_what_a_bear_stored_while_offline_arrives_whole_and_once() -> None:
    # given
    side = CommandSide()
    async with side.client() as mother:
        child = await mother.register()
    stored: Any = [command for _ in range(2) for command in a_talk(child, 700)]
    token = side.bearer(BEAR).removeprefix("Bearer ")
    transport = httpx2.ASGITransport(app=side.app)
    async with TeddyClient("http://c", "http://q", token, transport=transport) as client:
        # when
        first = await client.send_commands(stored)
        again = await client.send_commands(stored)
    # then
    assert {result["status"] for result in first} == {200, 201}
    assert [result["answer"] for result in again] == [result["answer"] for result in first]
    assert all(result["replayed"] for result in again)
    assert len(await side.stored_events()) == BORN + len(stored)


async def test_more_than_fit_into_a_request_go_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    api = Slices(monkeypatch, [DONE], [DONE])
    async with api.client() as client:
        # when
        results = await client.send_commands([CHANGE] * (MOST_AT_A_TIME + 3))
    # then
    assert len(results) == MOST_AT_A_TIME + 3
    assert [len(keys) for keys in api.keys] == [MOST_AT_A_TIME, 3]
    assert len({key for keys in api.keys for key in keys}) == MOST_AT_A_TIME + 3


async def test_what_may_succeed_later_is_sent_again_in_its_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    api = Slices(monkeypatch, [DONE, LATER, LATER], [DONE, LATER], [DONE])
    async with api.client() as client:
        # when
        results = await client.send_commands([CHANGE] * 3)
    # then
    first, second, third = api.keys
    assert (second, third) == (first[1:], first[2:])
    assert [result["status"] for result in results] == [200] * 3
    assert api.pauses == [1, 1]


async def test_who_gets_no_further_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    api = Slices(monkeypatch, *[[LATER]] * ATTEMPTS)
    async with api.client() as client:
        # when
        results = await client.send_commands([CHANGE] * 2)
    # then
    assert [result["problem"]["code"] for result in results] == ["not-attempted"] * 2
    assert len(api.keys) == ATTEMPTS
    assert len(api.pauses) == ATTEMPTS - 1


async def test_no_commands_need_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Slices(monkeypatch).client() as client:
        assert await client.send_commands([]) == []


async def test_a_query_waits_for_what_the_batch_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    api = Slices(monkeypatch, [DONE])
    async with api.client() as client:
        # when
        await client.send_commands([CHANGE])
        # then
        assert client._seen.token("mia") == "token-of-mia"


async def test_a_request_that_is_refused_for_now_loses_no_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a limit that lets the first slice through, and the others later
    limited = [200, 429, 429, 429, 429, 200]

    def answer(request: httpx2.Request) -> httpx2.Response:
        commands = orjson.loads(request.content)["commands"]
        if limited.pop(0) == 429:
            return httpx2.Response(
                429, json={"code": "too-many-requests"}, headers={"Retry-After": "42"}
            )
        done = DONE | {"consistency_token": "t"}
        return httpx2.Response(200, json={"results": [done] * len(commands)})

    pauses: list[float] = []

    async def pause(_: Any, seconds: float, longest: float = 5.0) -> None:
        pauses.append(min(seconds, longest))

    monkeypatch.setattr("shared.client.transport.Transport.pause", pause)
    transport = httpx2.MockTransport(answer)
    async with TeddyClient("http://c", "http://q", "t", transport=transport) as client:
        # when
        results = await client.send_commands([CHANGE] * 1_300)
    # then
    assert [result["status"] for result in results] == [200] * 1_300
    assert pauses[-1] == 42
    assert len({result["idempotency_key"] for result in results}) == 1_300


async def test_what_was_never_answered_has_its_key_and_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    async def no_pause(_: Any, _seconds: float, _longest: float = 0) -> None:
        return None

    def gone(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    monkeypatch.setattr("shared.client.transport.Transport.pause", no_pause)
    transport = httpx2.MockTransport(gone)
    async with TeddyClient("http://c", "http://q", "t", transport=transport) as client:
        # when
        first, unsent = [*await client.send_commands([CHANGE] * 1_001)][::1_000]
    # then
    assert (first["problem"]["code"], unsent["problem"]["code"]) == ("unreachable", "not-sent")
    assert first["retry_after"] == unsent["retry_after"] == 1
    assert first["idempotency_key"] != unsent["idempotency_key"]


async def test_a_slice_is_cut_by_its_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    large: BatchCommand = {**CHANGE, "body": {"preferences": {"text": "x" * 8_000}}}
    api = Slices(monkeypatch, [DONE], [DONE])
    async with api.client() as client:
        # when
        await client.send_commands([large] * 200)
    # then
    assert [len(keys) for keys in api.keys] == [122, 78]
