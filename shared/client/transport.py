"""Requests to one API: bearer token, retries of what may be retried, problems as exceptions."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
RETRIED = (429, 503)
LONGEST_SILENCE_SECONDS = 45.0
"""On a stream: three of the server's heartbeats. Longer means that the connection is dead."""

TokenSource = str | Callable[[], Awaitable[str]]
"""A bearer token, or where to get the present one."""


class TeddyProblem(Exception):
    """The API refused. `code` is stable; `errors` names fields, their limits and what is wrong.
    `retry_after`: seconds after which the same request may get another answer, where it may."""

    def __init__(
        self, status: int, body: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        self.code: str = body.get("code", "unknown")
        self.detail: str = body.get("detail", "")
        self.errors: list[dict[str, str]] = body.get("errors", [])
        self.correlation_id: str = body.get("correlation_id", "")
        self.body = dict(body)
        super().__init__(f"{status} {self.code}: {self._once()}".rstrip(": "))

    def _once(self) -> str:
        """The detail, and of the fields what it does not say itself."""
        said = self.detail.lower()
        more = [
            f"{error['field']} {error['message']}"
            for error in self.errors
            if not said.startswith(error["message"].lower())
            and f"{error['field']} {error['message']}".lower() not in said
            and f"{error['field']}: {error['message']}".lower() not in said
        ]
        return " ".join(filter(None, (self.detail, "; ".join(more))))


class Unreachable(Exception):
    """The API did not answer, also when asked again."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One exchange with an API. `cached` is None where no cache is involved."""

    method: str
    path: str
    status: int
    seconds: float
    cached: bool | None


Observer = Callable[[Observation], None]


class Transport:
    """Sends requests to the API at `base_url`.

    A request is sent again when the API did not answer, or answered 429, 503, or a 409 that says
    when to come again: at most four times, after the pause that `Retry-After` asks for. Commands
    carry an idempotency key, so sending one again is safe.
    """

    def __init__(
        self,
        base_url: str,
        token: TokenSource,
        timeout: float,
        observe: Observer | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = httpx2.AsyncClient(base_url=base_url, timeout=timeout, transport=transport)
        self._token = token
        self._observe = observe
        self._sleep = sleep

    async def close(self) -> None:
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """The successful response; raises TeddyProblem or Unreachable."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        all_headers = {**await self.authorization(), **(headers or {})}
        failure: httpx2.TransportError | None = None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = await self._exchange(method, path, json, given, all_headers)
            except httpx2.TransportError as error:
                failure, pause = error, FIRST_PAUSE_SECONDS * 2**attempt
            else:
                if not _is_passing(response) or attempt == ATTEMPTS:
                    return _checked(response)
                pause = _retry_after(response)
            if attempt < ATTEMPTS:
                await self.pause(pause)
        raise Unreachable(f"{method} {path}: {type(failure).__name__}") from failure

    async def authorization(self) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else await self._token()
        return {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        """A successful response whose body is read as it comes; asked for once.

        Raises TeddyProblem, and Unreachable also while the body is read.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        asked: dict[str, Any] = {
            "params": given,
            "headers": {**await self.authorization(), **(headers or {})},
            "timeout": httpx2.Timeout(5.0, read=LONGEST_SILENCE_SECONDS),
        }
        try:
            async with self._http.stream("GET", path, **asked) as response:
                if response.status_code >= httpx2.codes.BAD_REQUEST:
                    await response.aread()
                yield _checked(response)
        except httpx2.TransportError as error:
            raise Unreachable(f"GET {path}: {type(error).__name__}") from error

    async def pause(self, seconds: float, longest: float = LONGEST_PAUSE_SECONDS) -> None:
        """Before something is asked for again."""
        await self._sleep(min(seconds, longest))

    async def _exchange(
        self,
        method: str,
        path: str,
        json: Mapping[str, Any] | None,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> httpx2.Response:
        started = time.perf_counter()
        response = await self._http.request(
            method, path, json=json, params=dict(params), headers=dict(headers)
        )
        if self._observe is not None:
            cache = response.headers.get("X-Cache")
            seconds = time.perf_counter() - started
            cached = None if cache is None else cache == "hit"
            self._observe(Observation(method, path, response.status_code, seconds, cached))
        return response


def _checked(response: httpx2.Response) -> httpx2.Response:
    if response.status_code < httpx2.codes.BAD_REQUEST:
        return response
    try:
        body = response.json()
    except ValueError:
        body = {"detail": response.text[:200]}
    later = _retry_after(response) if _is_passing(response) else None
    raise TeddyProblem(response.status_code, body, later)


def _is_passing(response: httpx2.Response) -> bool:
    """Whether the same request may get another answer soon. Most conflicts stay."""
    conflict = response.status_code == httpx2.codes.CONFLICT
    return response.status_code in RETRIED or (conflict and "Retry-After" in response.headers)


def _retry_after(response: httpx2.Response) -> float:
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else FIRST_PAUSE_SECONDS
