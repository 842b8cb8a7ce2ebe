"""Calls of both APIs as one caller who sees its own writes."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from shared.client import answers
from shared.client.batch import Batch, BatchCommand, BatchResult
from shared.client.export import Download
from shared.client.freshness import FreshAnswer
from shared.client.seen_writes import SeenWrites
from shared.client.transport import Observer, TokenSource, Transport
from shared.clock import NewId, new_id

TOKEN_HEADER = "Consistency-Token"  # noqa: S105 - a header's name
WAIT_SECONDS = 10


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
        self._batch = Batch(self._command, self._seen, ids)

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
    ) -> answers.CommandAnswer:
        """Any command, also one without a method of its own: `method` and `path` as the API
        documents them, e.g. "PUT" and "/v1/children/{child_id}/alert-policy" with the child's id.
        Answers once the command is durable; raises TeddyProblem when refused, Unreachable."""
        key = idempotency_key or self._new_id()
        response = await self._command.request(method, path, body, headers={"Idempotency-Key": key})
        answer: answers.CommandAnswer = response.json()
        token = response.headers[TOKEN_HEADER]
        self._seen.remember(answer["child_id"], answer["version"], token)
        return answer

    async def send_commands(self, commands: Sequence[BatchCommand]) -> list[BatchResult]:
        """Any number of commands in few requests, e.g. what a bear stored while offline; the result
        of each, in their order. Commands of one child are executed in their order; a command that
        may succeed later, and those of its child behind it, are sent again, as are requests that
        the API refuses for now or does not answer: what has no answer at last has a problem, and
        its key to send it with another time."""
        return await self._batch.send(commands)

    async def ask(
        self, path: str, child_id: str | None = None, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
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
