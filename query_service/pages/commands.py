"""Commands of the pages: passed on to the command API, which alone decides about them.

The query service writes nothing. It passes on who asks, and what the form of a page stands for; no
page can send what the command API would not take from the same person's own client.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from starlette.requests import Request

from shared.client.calls import TOKEN_HEADER

SECONDS = 10.0
UNKNOWN = "outcome-unknown"
"""Stands for the code of a problem where nobody said whether it was done."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A command as HTTP sends it. `key`: its idempotency key, so that a form which is sent twice is
    one command; None for what is the same however often it is done."""

    method: str
    path: str
    key: str | None = None
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seen`: the consistency token of what was written; None where nothing was. `problem`: what
    the command API said instead (RFC 9457); empty where it was done, or it is known not to be.
    With the code UNKNOWN it may be done or not."""

    is_done: bool
    seen: str | None = None
    problem: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Of the problem; empty where there is none."""
        return str(self.problem.get("code", ""))

    @property
    def wrong(self) -> list[str]:
        """The fields that the problem names."""
        errors = self.problem.get("errors")
        listed = errors if isinstance(errors, list) else []
        named = [one.get("field", "") for one in listed if isinstance(one, dict)]
        return [str(field).partition(".")[0] for field in named]


class CommandApi:
    """The command API at `url`, as clients of this machine reach it."""

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = httpx2.AsyncClient(base_url=url, timeout=SECONDS, transport=transport)

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, request: Request, token: str, command: Sent) -> Outcome:
        """One command of who holds `token`, once."""
        headers = {
            b"Authorization": f"Bearer {token}".encode(),
            b"X-Forwarded-For": _forwarded(request),
        }
        if command.key is not None:
            headers[b"Idempotency-Key"] = command.key.encode()
        try:
            response = await self._http.request(
                command.method, command.path, headers=headers, json=command.body
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return Outcome(is_done=False)
        except httpx2.RequestError:
            return Outcome(is_done=False, problem={"code": UNKNOWN})
        return _outcome(response)


def _outcome(response: httpx2.Response) -> Outcome:
    """What is no JSON object was answered by something between here and the command API, whatever
    its status says; after a 5xx of such a one the command may have been executed."""
    content = _object(response)
    if content is None and (response.is_success or response.is_server_error):
        return Outcome(is_done=False, problem={"code": UNKNOWN})
    if not response.is_success:
        return Outcome(is_done=False, problem=content or {})
    return Outcome(is_done=True, seen=response.headers.get(TOKEN_HEADER))


def _object(response: httpx2.Response) -> Mapping[str, Any] | None:
    try:
        content: Any = response.json()
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _forwarded(request: Request) -> bytes:
    """The addresses that the request came through, for a command API that trusts this process."""
    before = request.headers.getlist("x-forwarded-for")
    peer = request.client.host if request.client else "unknown"
    return ", ".join([*before, peer]).encode("latin-1")
