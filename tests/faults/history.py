"""Every request and its answer, one JSON line each, written before anything is made of it."""

import base64
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson

from shared.clock import iso, utc_now

REFUSED = range(400, 500)
PASSING = (429, 503)
"""Refusals of the moment: the same request is made again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and what came of it. `answer`: its JSON, or `{"text": ...}`; `reader`: who read,
    where that matters."""

    at: str
    subject: str
    role: str
    method: str
    path: str
    key: str | None
    status: int
    answer: dict[str, Any]
    reader: str = ""

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

    async def note(self, response: httpx2.Response) -> Entry:
        """Also usable as an HTTP client's response hook."""
        await response.aread()
        request = response.request
        claims = _claims(request.headers.get("Authorization", ""))
        entry = Entry(
            at=iso(utc_now()),
            subject=claims.get("sub", ""),
            role=claims.get("role", ""),
            method=request.method,
            path=request.url.path,
            key=request.headers.get("Idempotency-Key"),
            status=response.status_code,
            answer=_json(response),
            reader=request.headers.get("X-Reader", ""),
        )
        self._file.write(orjson.dumps(asdict(entry), option=orjson.OPT_APPEND_NEWLINE))
        return entry

    def close(self) -> None:
        self._file.close()


def read_history(file: Path) -> Iterator[Entry]:
    with file.open("rb") as lines:
        for line in lines:
            yield Entry(**orjson.loads(line))


def _claims(authorization: str) -> dict[str, str]:
    """Of a token that this harness issued itself: not verified."""
    payload = authorization.removeprefix("Bearer ").split(".")[1:2]
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
