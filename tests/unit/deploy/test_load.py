"""The generator and the sender of the load tests."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, get_args

import httpx2
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from command_service.child.commands import ChildCommand
from deploy.load.generator import Generator
from deploy.load.kinds import BESIDE_COMMANDS, KIND_OF
from deploy.load.model import ModelChild, Request, Tally, settle
from deploy.load.sender import RETRIES, Pace, Sender, share_out
from shared.auth.tokens import TokenIssuer
from tests.support.command_side import CommandSide
from tests.support.routes import guarded, operation_at

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"


def life_of(seed: int, number: int, length: int = 80) -> list[Request]:
    """The requests for one child when every answer is as expected."""
    generator, tally = Generator(seed, "run"), Tally()
    child, chance = generator.child(number)
    requests = [generator.registration(child, chance)]
    answer(child, requests[0], tally)
    for turn in range(length):
        request = generator.next(child, chance, turn)
        answer(child, request, tally)
        requests.append(request)
    assert tally.surprises == []
    return requests


def answer(child: ModelChild, request: Request, tally: Tally) -> None:
    body = {
        "child_id": f"child-{child.number}",
        "version": 1,
        "events": ["Something"],
        "conversation_id": "conversation",
        "violation_id": f"violation-{request.key.replace('/', '-')}",
        "ignored": list(request.ignored),
    }
    refused = {"code": request.code}
    settle(child, request, request.expected, refused if request.code else body, tally)


def test_the_same_seed_sends_the_same_and_another_seed_or_child_something_else():
    assert life_of(7, 3) == life_of(7, 3)
    assert life_of(7, 3) != life_of(8, 3)
    assert life_of(7, 3) != life_of(7, 4)


def test_over_many_children_every_command_is_sent_and_what_does_not_exist_is_named():
    requests = [request for number in range(60) for request in life_of(7, number)]

    endings = {request.path.rpartition("/")[2] for request in requests}
    assert endings >= {
        "children",
        "profile",
        "safety-violations",
        "resolution",
        "alert-policy",
        "conversations",
        "messages",
        "end",
        "deactivation",
        "reactivation",
        "personal-data",
    }
    assert {request.expected for request in requests} == {200, 201, 404, 410, 422}
    assert len({request.key for request in requests}) < len(requests), "some keys are repeated"
    routes = guarded(CommandSide().app)
    sent = {operation_at(routes, request.method, request.path) for request in requests}
    assert sent == {command.__name__ for command in get_args(ChildCommand)}
    codes = {request.code for request in requests}
    assert {"conversation-not-found", "violation-not-found"} <= codes
    unlinked = [request for request in requests if request.ignored]
    assert {(request.expected, request.ignored) for request in unlinked} == {
        (201, ("conversation_id",))
    }


async def test_the_api_answers_a_load_as_expected():
    side = CommandSide()
    async with side.bare_client() as http:
        sender = Sender(http, side.issuer, Generator(7, "run"), Pace(None), lambda _: None)
        await sender.run(30, 1_500, 1, lambda: None)
    assert sender.tally.surprises == []
    assert sender.tally.by_kind.keys() >= {"ParentalConsentGiven", "ParentalConsentWithdrawn"}


def test_the_page_lists_the_proportions():
    shares = {f"`{command}`": kind.share for command, kind in KIND_OF.items()}
    shares |= {name: kind.share for name, kind in BESIDE_COMMANDS.items()}
    page = PAGE.read_text()
    assert [row for row in (f"| {n} | {s:g} |" for n, s in shares.items()) if row not in page] == []


def test_a_link_that_is_left_out_without_a_word_is_a_surprise():
    generator, tally = Generator(7, "run"), Tally()
    child, chance = generator.child(0)
    request = replace(generator.registration(child, chance), ignored=("conversation_id",))

    settle(child, request, 201, {"child_id": "mia", "events": ["ChildRegistered"]}, tally)

    assert tally.unexpected == 1


def test_an_answer_that_was_not_expected_is_kept():
    generator, tally = Generator(7, "run"), Tally()
    child, chance = generator.child(0)

    settle(child, generator.registration(child, chance), 503, {"code": "x"}, tally)

    assert len(tally.surprises) == 1
    assert "expected 201" in tally.surprises[0]
    assert child.status == "new"


def test_commands_are_shared_out_to_the_last():
    shares = list(share_out(7, 100))

    assert sum(commands for _, commands in shares) == 100
    assert max(shares, key=lambda s: s[1])[1] - min(shares, key=lambda s: s[1])[1] == 1


def test_a_repeated_key_must_get_its_first_answer_again():
    generator, tally = Generator(7, "run"), Tally()
    child, chance = generator.child(0)
    request = generator.registration(child, chance)
    first = {"child_id": "mia", "version": 1, "events": ["ChildRegistered"]}
    settle(child, request, 201, first, tally)

    settle(child, request, 201, dict(first), tally)
    settle(child, request, 201, {**first, "version": 2}, tally)

    assert (tally.accepted, tally.repeated, tally.unexpected) == (1, 1, 1)


def test_surprises_are_all_counted_though_only_the_first_are_kept():
    tally = Tally()

    for number in range(50):
        tally.surprise(str(number))

    assert tally.unexpected == 50
    assert len(tally.surprises) == 20


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


async def test_every_acknowledged_command_is_noted():
    tally, history = await sent(Accepting(), children=5, concurrency=3)

    assert tally.accepted == 5
    assert sorted(answer["child_id"] for answer in history) == [f"child-{n}" for n in range(1, 6)]


async def test_a_busy_api_is_asked_again_with_the_same_key():
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


async def test_a_refusal_nobody_expected_is_a_surprise_and_not_acknowledged():
    tally, history = await sent(lambda _: httpx2.Response(502, text="bad gateway"), children=3)

    assert tally.unexpected == 3
    assert "bad gateway" in tally.surprises[0]
    assert history == []


async def test_a_load_on_an_api_that_is_gone_ends_with_one_surprise():
    asked = []

    def gone(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        raise httpx2.ConnectError("gone")

    tally, _ = await sent(gone, children=100)

    assert tally.surprises == ["stopped: POST /v1/children: ConnectError"]
    assert len(asked) == RETRIES


async def test_a_pace_spreads_turns_evenly_and_does_not_catch_up():
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


async def test_the_body_goes_out_as_the_generator_wished_it():
    seen: list[bytes] = []
    api = Accepting()

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.content)
        return api(request)

    await sent(handle)

    generator = Generator(7, "run")
    assert orjson.loads(seen[0]) == generator.registration(*generator.child(0)).body
