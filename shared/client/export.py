"""The export of a child as it comes: record by record, however often the connection breaks."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson

from shared.client.transport import (
    ATTEMPTS,
    FIRST_PAUSE_SECONDS,
    TeddyProblem,
    Transport,
    Unreachable,
)

LONGEST_PAUSE_SECONDS = 30.0
"""Where the server still waits for the reader of a connection that broke."""

Record = dict[str, Any]

LISTS: Mapping[str, str] = {
    "conversation": "conversations",
    "activity": "activity",
    "alert": "alerts",
    "event": "events",
}
"""Kinds of records of which a child has many, and where `whole` lists them."""


class Download:
    """One export. `headers`: of its first answer, once there is one."""

    def __init__(self, api: Transport, path: str, headers: Mapping[str, str]) -> None:
        self.headers: Mapping[str, str] = {}
        self._api = api
        self._path = path
        self._asked_with = headers
        self._cursor: str | None = None
        self._failures = 0

    async def records(self) -> AsyncIterator[Record]:
        """Every record once, the `export` line first, the `end` line last.

        What came behind the last cursor is held until the next one, about 1,000 records: when the
        connection breaks it is asked for again. Raises TeddyProblem when refused, and Unreachable
        when the same part breaks four times.
        """
        while True:
            held: list[Record] = []
            try:
                async with self._answer() as lines:
                    async for line in lines:
                        record: Record = orjson.loads(line)
                        kind = record["kind"]  # who takes a record may change it
                        if kind != "progress":
                            held.append(record)
                        if kind in ("progress", "end"):
                            self._cursor, self._failures = record.get("cursor"), 0
                            for one in held:
                                yield one
                            held = []
                        if kind == "end":
                            return
            except (Unreachable, TeddyProblem) as failure:
                await self._pause(failure)
            else:
                await self._pause(Unreachable(f"GET {self._path}: the answer has no end"))

    @asynccontextmanager
    async def _answer(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of what follows the last cursor."""
        asked = {"cursor": self._cursor}
        async with self._api.stream(self._path, asked, self._asked_with) as response:
            self.headers = self.headers or response.headers
            yield _whole_lines(response)

    async def _pause(self, failure: Unreachable | TeddyProblem) -> None:
        """Before the next try; raises the failure where there is none."""
        self._failures += 1
        passing = isinstance(failure, Unreachable) or failure.retry_after is not None
        if not passing or self._failures == ATTEMPTS:
            raise failure
        asked = failure.retry_after if isinstance(failure, TeddyProblem) else None
        pause = FIRST_PAUSE_SECONDS * 2**self._failures if asked is None else asked
        await self._api.pause(pause, LONGEST_PAUSE_SECONDS)


async def _whole_lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Split at line feeds alone: values may hold other characters that some take for the end of a
    line. A last line without one broke off."""
    rest = b""
    async for some in response.aiter_bytes():
        *lines, rest = (rest + some).split(b"\n")
        for line in lines:
            yield line


async def whole(records: AsyncIterator[Record]) -> Record:
    """All records as one document: `profile`, `safety` with its `violations`, `conversations`,
    `activity`, `alerts`, `events`, and in `unreadable` the places of what does not open, as
    `profile.name`, `safety.violations.1.details` or `events.3`."""
    document: Record = {"profile": {}, "safety": None}
    document |= {name: [] for name in LISTS.values()}
    violations: list[Record] = []
    places: list[str] = []
    async for record in records:
        kind, closed = record.pop("kind"), record.pop("unreadable", [])
        if kind == "export":
            document = {**record, **document}
        elif kind == "violation":
            places += [f"safety.violations.{len(violations)}.{name}" for name in closed]
            violations.append(record)
        elif kind in LISTS:
            document[LISTS[kind]].append(record)
            places += [f"events.{record['version']}" for _ in closed]
        elif kind != "end":
            document[kind] = record
            places += [f"{kind}.{name}" for name in closed]
    if document["safety"] is not None:
        document["safety"]["violations"] = violations
    return {**document, "unreadable": places}
