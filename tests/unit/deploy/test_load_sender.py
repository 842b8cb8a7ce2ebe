import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import httpx2
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.load.generator import Generator
from deploy.load.model import Tally
from deploy.load.sender import RETRIES, Pace, Sender
from shared.auth.tokens import TokenIssuer

Handler = Callable[[httpx2.Request], httpx2.Response]


class Accepting:
    """A command API that accepts every registration; one version a child."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._numbers: Iterator[int] = count(1)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.keys.append(request.headers["Idempotency-Key"])
        child_id = f"child-{next(self._numbers)}"
        answer = {"child_id": child_id, "version": 1, "events": ["ChildRegistered"]}
        return httpx2.Response(201, json=answer)


async def at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


async def sent(
    handler: Handler, children: int = 1, concurrency: int = 1
) -> tuple[Tally, list[dict[str, Any]]]:
    """Registers children through `handler`: the tally, and what was acknowledged."""
    history: list[dict[str, Any]] = []
    issuer = TokenIssuer(Ed25519PrivateKey.generate(), "issuer", "audience")
    transport = httpx2.MockTransport(handler)
    async with httpx2.AsyncClient(base_url="http://command", transport=transport) as http:
        sender = Sender(http, issuer, Generator(7, "run"), Pace(None), history.append, at_once)
        await sender.run(children, 0, concurrency, lambda: None)
    return sender.tally, history


async def test_every_acknowledged_command_is_noted() -> None:
    tally, history = await sent(Accepting(), children=5, concurrency=3)

    assert tally.accepted == 5
    assert sorted(answer["child_id"] for answer in history) == [f"child-{n}" for n in range(1, 6)]


async def test_a_busy_api_is_asked_again_with_the_same_key() -> None:
    api = Accepting()
    busy = iter([503, 429])

    def handle(request: httpx2.Request) -> httpx2.Response:
        accepted = api(request)
        status = next(busy, None)
        return accepted if status is None else httpx2.Response(status, json={})

    tally, history = await sent(handle)

    assert (tally.accepted, tally.unexpected) == (1, 0)
    assert len(api.keys) == 3
    assert len(set(api.keys)) == 1
    assert len(history) == 1


async def test_a_refusal_nobody_expected_is_a_surprise_and_not_acknowledged() -> None:
    tally, history = await sent(lambda _: httpx2.Response(502, text="bad gateway"), children=3)

    assert tally.unexpected == 3
    assert "bad gateway" in tally.surprises[0]
    assert history == []


async def test_a_load_on_an_api_that_is_gone_ends_with_one_surprise() -> None:
    asked = []

    def gone(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        raise httpx2.ConnectError("gone")

    tally, _ = await sent(gone, children=100)

    assert tally.surprises == ["stopped: POST /v1/children: ConnectError"]
    assert len(asked) == RETRIES


async def test_a_pace_spreads_turns_evenly_and_does_not_catch_up() -> None:
    now, pauses = 10.0, []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    pace = Pace(4.0, clock=lambda: now, sleep=sleep)
    for _ in range(3):
        await pace.turn()
    now = 20.0
    for _ in range(2):
        await pace.turn()

    assert pauses == pytest.approx([0.0, 0.25, 0.5, 0.0, 0.25])


async def test_the_body_goes_out_as_the_generator_wished_it() -> None:
    seen: list[bytes] = []
    api = Accepting()

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.content)
        return api(request)

    await sent(handle)

    generator = Generator(7, "run")
    assert orjson.loads(seen[0]) == generator.registration(*generator.child(0)).body
