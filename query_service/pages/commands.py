"""Commands of the pages: passed on to the command API, which alone decides about them.

The query service writes nothing. It passes on who asks, and what the form of a page stands for; no
page can send what the command API would not take from the same person's own client.
"""

from dataclasses import dataclass

import httpx2
from starlette.requests import Request

from shared.client.calls import TOKEN_HEADER

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seen`: the consistency token of what was written; None where nothing was."""

    is_done: bool
    seen: str | None = None


class CommandApi:
    """The command API at `url`, as clients of this machine reach it."""

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = httpx2.AsyncClient(base_url=url, timeout=SECONDS, transport=transport)

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, request: Request, token: str, path: str, key: str) -> Outcome:
        """One command without a body, once. `key`: its idempotency key, so that a form which is
        sent twice is one command."""
        headers = {
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": key,
            "X-Forwarded-For": _forwarded(request),
        }
        try:
            response = await self._http.post(path, headers=headers)
        except httpx2.TransportError:
            return Outcome(is_done=False)
        is_done = response.status_code < httpx2.codes.BAD_REQUEST
        return Outcome(is_done, response.headers.get(TOKEN_HEADER))


def _forwarded(request: Request) -> str:
    """The addresses that the request came through, for a command API that trusts this process."""
    before = request.headers.get("x-forwarded-for")
    peer = request.client.host if request.client else "unknown"
    return peer if before is None else f"{before}, {peer}"
