"""How long a connection is kept on which nothing comes: one timer, however many answers."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from shared.http.connection_room import ConnectionRoom
from shared.http.connections import bounded_protocol
from shared.http.settings import Bounds

KEPT_SECONDS = 10


class HandClock:
    """An event loop whose time is moved by hand; as many timers as were ever set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Any]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Any) -> SimpleNamespace:
        self.timers.append((self.now + seconds, call))
        return SimpleNamespace(cancel=lambda: None)

    def until_its_timer(self) -> None:
        self.now, call = self.timers[-1]
        call()


class Wire:
    def __init__(self) -> None:
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def answering(clock: HandClock, wire: Wire) -> HttpToolsProtocol:
    """A connection whose requests are answered when the test says so."""
    config = uvicorn.Config(FastAPI(), ws="none", log_config=None, timeout_keep_alive=KEPT_SECONDS)
    config.load()
    loop = cast(asyncio.AbstractEventLoop, clock)
    protocol = bounded_protocol(ConnectionRoom(Bounds()))(config, ServerState(), {}, loop)
    protocol.transport = cast(Any, wire)
    protocol.flow = cast(Any, SimpleNamespace(resume_reading=lambda: None))
    protocol.cycle = cast(Any, SimpleNamespace(response_complete=True))
    return protocol


def test_it_is_closed_so_long_after_the_last_answer_and_not_after_an_earlier_one():
    # given one that was answered, asked again, and was answered again
    clock, wire = HandClock(), Wire()
    protocol = answering(clock, wire)
    protocol.on_response_complete()
    clock.now = 6.0
    protocol.data_received(b"")
    protocol.on_response_complete()
    # when / then
    clock.until_its_timer()
    assert (clock.now, wire.closed) == (KEPT_SECONDS, False)
    clock.until_its_timer()
    assert (clock.now, wire.closed) == (6.0 + KEPT_SECONDS, True)


def test_it_stays_open_while_an_answer_is_under_way_and_is_closed_after_that():
    # given
    clock, wire = HandClock(), Wire()
    protocol = answering(clock, wire)
    protocol.on_response_complete()
    protocol.data_received(b"")
    # when the timer ends before the answer
    clock.until_its_timer()
    # then
    assert not wire.closed
    # when
    clock.now = 100.0
    protocol.on_response_complete()
    clock.until_its_timer()
    # then
    assert (clock.now, wire.closed) == (100.0 + KEPT_SECONDS, True)


def test_a_thousand_answers_need_one_timer():
    # given
    clock = HandClock()
    protocol = answering(clock, Wire())
    # when
    for _ in range(1_000):
        protocol.data_received(b"")
        protocol.on_response_complete()
    # then
    assert len([end for end, _ in clock.timers if end == KEPT_SECONDS]) == 1
