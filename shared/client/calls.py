"""Calls of both APIs as one caller who sees its own writes, and how old an answer is."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NotRequired, Self, TypedDict
from urllib.parse import quote

import httpx2

from shared.client.export import Download
from shared.client.transport import Observer, TokenSource, Transport
from shared.clock import NewId, new_id

TOKEN_HEADER = "Consistency-Token"  # noqa: S105 - a header's name
WAIT_SECONDS = 10


class CommandAnswer(TypedDict):
    """What a command came to: the child's version afterwards and the names of the new events.
    `ignored`: what the request named and does not exist, e.g. a report's conversation."""

    child_id: str
    version: int
    events: list[str]
    violation_id: NotRequired[str]
    conversation_id: NotRequired[str]
    ignored: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class Freshness:
    """`as_of`: all that was stored until then is in the answer, often more; an RFC 3339 instant,
    None while no worker has noted it. `age`: seconds since it was read from the read models.
    `cached`: it came from the cache. `watched`: changes drop cached answers; else they live for
    seconds only.
    `stale`: it is from before the read store went away, and what happened since is not in it."""

    as_of: str | None
    age: int
    cached: bool
    watched: bool
    stale: bool = False


class FreshAnswer(dict[str, Any]):
    """An answer's JSON, with how old it is."""

    def __init__(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(body)
        status = headers.get("Cache-Status", "")
        self.freshness = Freshness(
            headers.get("X-As-Of"),
            int(headers.get("Age", 0)),
            "; hit" in status,
            "detail=change-feed-down" not in status,
            "detail=read-store-down" in status,
        )


def freshness_of(answer: Mapping[str, Any]) -> Freshness:
    """Of an answer as a query of TeddyClient gave it. Raises TypeError for anything else."""
    if not isinstance(answer, FreshAnswer):
        raise TypeError("only answers of TeddyClient queries have freshness data")
    return answer.freshness


REMEMBERED_CHILDREN = 10_000


class SeenWrites:
    """The newest consistency token of each child, for the 10,000 children written last. Clients
    that share one see each other's writes: those of one program for several callers, as a parent
    and the bear."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def remember(self, child_id: str, version: int, token: str) -> None:
        """Answers may come out of order, and a repeated key gets an old one: the newest stays."""
        known = self._tokens.pop(child_id, (0, token))
        self._tokens[child_id] = known if known[0] > version else (version, token)
        if len(self._tokens) > REMEMBERED_CHILDREN:
            self._tokens.popitem(last=False)

    def token(self, child_id: str | None) -> str | None:
        """Of the child that is asked about; of the one written last when it is about many."""
        if child_id is None:
            child_id = next(reversed(self._tokens), "")
        _, token = self._tokens.get(child_id, (0, None))
        return token


class Calls:
    """A command carries an idempotency key; a query waits for what was written before."""

    def __init__(
        self,
        command_url: str,
        query_url: str,
        token: TokenSource,
        *,
        timeout: float = 15.0,
        observe: Observer | None = None,
        ids: NewId = new_id,
        transport: httpx2.AsyncBaseTransport | None = None,
        seen: SeenWrites | None = None,
    ) -> None:
        """`seen`: shared with other clients, whose writes this one is to see."""
        self._command = Transport(command_url, token, timeout, observe, transport)
        self._query = Transport(query_url, token, timeout, observe, transport)
        self._new_id = ids
        self._seen = SeenWrites() if seen is None else seen

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._command.close()
        await self._query.close()

    async def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> CommandAnswer:
        """Any command, also one without a method of its own: `method` and `path` as the API
        documents them, e.g. "PUT" and "/v1/children/{child_id}/alert-policy" with the child's id.
        Answers once the command is durable; raises TeddyProblem when refused, Unreachable."""
        key = idempotency_key or self._new_id()
        response = await self._command.request(method, path, body, headers={"Idempotency-Key": key})
        answer: CommandAnswer = response.json()
        token = response.headers[TOKEN_HEADER]
        self._seen.remember(answer["child_id"], answer["version"], token)
        return answer

    async def ask(
        self, path: str, child_id: str | None = None, params: Mapping[str, Any] | None = None
    ) -> FreshAnswer:
        headers = self._read_own_writes(child_id)
        response = await self._query.request("GET", path, params=params, headers=headers)
        return FreshAnswer(response.json(), response.headers)

    def download(self, child_id: str) -> Download:
        path = path_of("children", child_id, "export")
        return Download(self._query, path, self._read_own_writes(child_id))

    def _read_own_writes(self, child_id: str | None) -> dict[str, str]:
        token = self._seen.token(child_id)
        return {} if token is None else {TOKEN_HEADER: token, "Prefer": f"wait={WAIT_SECONDS}"}


def path_of(*segments: str) -> str:
    """Whatever an id contains, it stays one segment of the path."""
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)
