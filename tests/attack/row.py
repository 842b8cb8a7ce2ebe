"""What a row of the table is. Most are one request and its refusal, as data; where an attack needs
more than that it is a `Deed`."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Literal, Protocol

import orjson

from tests.attack.wire import Answer, request, send

if TYPE_CHECKING:
    from tests.attack.world import World

Api = Literal["command", "query"]
PROBLEM = "application/problem+json"
PROMISED_SECONDS = 2.0
TRIES = 3
"""On a machine that is busy with something else one answer may be late; three in a row are not."""


class Broken(Exception):
    """The attack was not refused, or not bounded; the message says what was seen."""


@dataclass(frozen=True, slots=True)
class Seen:
    holds: bool
    reported: str


class Expectation(Protocol):
    """Its text stands in the table."""

    def holds(self, answer: Answer, words: dict[str, str]) -> bool: ...


class Row(Protocol):
    """One attack. `ci`: part of the short selection."""

    @property
    def name(self) -> str: ...
    @property
    def tried(self) -> str: ...
    @property
    def expected(self) -> object: ...
    @property
    def ci(self) -> bool: ...

    async def attempt(self, world: "World") -> Seen: ...


@dataclass(frozen=True, slots=True)
class Refused:
    """With this status and this problem (RFC 9457), and nothing of the family that is attacked."""

    status: int
    code: str

    def __str__(self) -> str:
        return f"{self.status} {self.code}"

    def holds(self, answer: Answer, words: dict[str, str]) -> bool:
        if (answer.status, answer.content_type) != (self.status, PROBLEM):
            return False
        problem = orjson.loads(answer.body)
        named = (problem["code"], problem["type"]) == (self.code, f"urn:teddy:problem:{self.code}")
        return named and not _reports(answer, words)


@dataclass(frozen=True, slots=True)
class Answered:
    """With success: the control beside the refusals, or an answer that must hold nothing of the
    family that is attacked."""

    of_the_family: bool = False

    def __str__(self) -> str:
        return "2xx" if self.of_the_family else "2xx, nothing of the other family"

    def holds(self, answer: Answer, words: dict[str, str]) -> bool:
        return 200 <= answer.status < 300 and (self.of_the_family or not _reports(answer, words))


@dataclass(frozen=True, slots=True)
class NotDone:
    """Any refusal, as long as it is one, leads nowhere else, and is one answer alone."""

    def __str__(self) -> str:
        return "4xx, one answer, no Location"

    def holds(self, answer: Answer, words: dict[str, str]) -> bool:
        one = answer.status_lines == 1 and "location" not in answer.headers
        return 400 <= answer.status < 500 and one and not _reports(answer, words)


def _reports(answer: Answer, words: dict[str, str]) -> bool:
    """Whether the answer holds what only the attacked family may know."""
    return any(words[one].encode() in answer.body for one in ("name", "udid") if one in words)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `sent`: its method and target; `caller`: whose token it bears, "" for none;
    `headers`: lines. `$child` and other words of the world are put in. `promised`: one of three
    tries has to be answered within 2 s."""

    name: str
    sent: str
    expected: Expectation
    caller: str = ""
    body: str | bytes | None = None
    headers: tuple[str, ...] = ()
    api: Api | None = None
    promised: bool = False
    ci: bool = False

    @property
    def tried(self) -> str:
        by = f" by {self.caller}" if self.caller else ""
        return f"{_short(self.sent)}{by}"

    async def attempt(self, world: "World") -> Seen:
        content = self._content(world)
        address = world.address(self.api or ("query" if self.sent.startswith("GET") else "command"))
        for left in reversed(range(TRIES if self.promised else 1)):
            answer = await send(address, content)
            if not self.expected.holds(answer, world.words):
                return Seen(False, str(answer))
            if not self.promised or answer.seconds < PROMISED_SECONDS:
                return Seen(True, str(answer))
            if not left:
                break
        return Seen(False, f"{answer}, after {answer.seconds:.1f} s")

    def _content(self, world: "World") -> bytes:
        def put_in(text: str) -> str:
            return Template(text).safe_substitute(world.words)

        method, target = put_in(self.sent).split(" ", 1)
        lines = [put_in(line) for line in self.headers]
        if self.caller:
            lines.append(f"Authorization: Bearer {world.bearer(self.caller)}")
        body = put_in(self.body).encode() if isinstance(self.body, str) else self.body
        return request(method, target, lines, body)


@dataclass(frozen=True, slots=True)
class Wire:
    """Bytes that are no request, or more than one, as they are sent."""

    name: str
    content: bytes
    expected: Expectation
    api: Api = "command"
    caller: str = ""
    """Whose token is put in for `$bearer`."""

    ci: bool = False

    @property
    def tried(self) -> str:
        return _short(repr(self.content)[2:-1])

    async def attempt(self, world: "World") -> Seen:
        bearer = world.bearer(self.caller).encode() if self.caller else b""
        content = self.content.replace(b"$bearer", bearer)
        answer = await send(world.address(self.api), content)
        return Seen(self.expected.holds(answer, world.words), str(answer))


@dataclass(frozen=True, slots=True)
class Deed:
    """An attack of several steps. `does` gives what was seen, or raises Broken with it."""

    name: str
    tried: str
    expected: str
    does: "Callable[[World], Awaitable[str]]"
    ci: bool = False

    async def attempt(self, world: "World") -> Seen:
        try:
            return Seen(True, await self.does(world))
        except Broken as seen:
            return Seen(False, str(seen))


def slug(name: str) -> str:
    """As the command line names a row."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _short(text: str, most: int = 64) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
