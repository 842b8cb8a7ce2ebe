"""Every request and what came of it, one JSON line each, written before anything is made of it."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson

from command_service.api.batch_items import ROUTES as BATCHED
from shared.clock import iso, utc_now
from shared.http.edge import PREFIX

REFUSED = range(400, 500)
PASSING = (429, 503)
"""Refusals of the moment: the same request is made again."""

UNANSWERED = 0

BATCH = f"{PREFIX}/commands:batch"


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and what came of it.

    `status`: UNANSWERED when the connection broke or nobody waited any more. `answer`: its JSON, or
    `{"text": ...}`; unanswered: what went wrong. `reader`: who read, where that matters. `digest`:
    of the request's body. `correlation_id`: as answered; the event store has it, too.
    """

    at: str
    subject: str
    role: str
    method: str
    path: str
    key: str | None
    status: int
    answer: dict[str, Any]
    reader: str = ""
    seconds: float = 0.0
    digest: str = ""
    correlation_id: str = ""

    @property
    def is_command(self) -> bool:
        return self.method != "GET"

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        return self.status in REFUSED and self.status not in PASSING


class History:
    def __init__(self, file: Path) -> None:
        self._file = file.open("ab", buffering=0)  # a line that was written is kept

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """A client all of whose requests are noted; `options` as of httpx2's."""
        return httpx2.AsyncClient(transport=_Noting(self), timeout=30.0, **options)

    def note(
        self, request: httpx2.Request, status: int, answer: dict[str, Any], correlation: str
    ) -> None:
        """Each command of a batch as if it had been sent on its own."""
        if request.url.path != BATCH:
            path, key = request.url.path, request.headers.get("Idempotency-Key")
            self._note(request, path, key, request.content, (status, answer), correlation)
            return
        commands = orjson.loads(request.content)["commands"]
        results = answer.get("results", [{"status": status, "problem": answer}] * len(commands))
        for one, result in zip(commands, results, strict=True):
            path = PREFIX + BATCHED[one["command"]].path_format.format(**one["path"])
            content = orjson.dumps(one.get("body", {}))
            reported = (result["status"], result.get("answer") or result["problem"])
            self._note(request, path, one["idempotency_key"], content, reported, correlation)

    def _note(
        self,
        request: httpx2.Request,
        path: str,
        key: str | None,
        content: bytes,
        reported: tuple[int, dict[str, Any]],
        correlation: str,
    ) -> None:
        claims = claims_of(request)
        begun: float = request.extensions["begun"]
        entry = Entry(
            at=iso(utc_now()),
            subject=claims.get("sub", ""),
            role=claims.get("role", ""),
            method=request.method,
            path=path,
            key=key,
            status=reported[0],
            answer=reported[1],
            reader=request.headers.get("X-Reader", ""),
            seconds=round(time.monotonic() - begun, 4),
            digest=hashlib.sha256(content).hexdigest()[:16],
            correlation_id=correlation,
        )
        self._file.write(orjson.dumps(asdict(entry), option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        self._file.close()


class _Noting(httpx2.AsyncHTTPTransport):
    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.extensions["begun"] = time.monotonic()
        try:
            response = await super().handle_async_request(request)
            await response.aread()
        except (httpx2.TransportError, asyncio.CancelledError) as error:
            reported = {"text": f"{type(error).__name__}: {error}"}
            self._history.note(request, UNANSWERED, reported, "")
            raise
        correlation = response.headers.get("Correlation-Id", "")
        self._history.note(request, response.status_code, _json(response), correlation)
        return response


def read_history(file: Path) -> Iterator[Entry]:
    with file.open("rb") as lines:
        for line in lines:
            yield Entry(**orjson.loads(line))


def claims_of(request: httpx2.Request) -> dict[str, str]:
    """Those of its bearer token, which this harness issued itself: not verified."""
    payload = request.headers.get("Authorization", "").split(".")[1:2]
    if not payload:
        return {}
    padded = payload[0] + "=" * (-len(payload[0]) % 4)
    claims: dict[str, str] = orjson.loads(base64.urlsafe_b64decode(padded))
    return claims


def _json(response: httpx2.Response) -> dict[str, Any]:
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {"text": response.text}
    return answer if isinstance(answer, dict) else {"list": answer}
