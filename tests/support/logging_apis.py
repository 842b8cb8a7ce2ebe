"""Both APIs, logging all they can to standard error, asked and refused with canaries everywhere:
`python -m tests.support.logging_apis MARK` prints how many answers there were. A process of its
own, for logging is set up once a process."""

import asyncio
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
from fastapi import FastAPI

from shared.event_store.envelope import Commit, NewCommit
from shared.http.serving import serving
from shared.logs import configure_logs
from shared.settings import ObservabilitySettings
from tests.fakes.event_store import MemoryEventStore
from tests.support.command_side import ADMIN, MOTHER, CommandSide, Database
from tests.support.ports import free_port, listens
from tests.support.query_side import QuerySide
from tests.support.query_side import parent as parent_of
from tests.support.routes import Route, guarded
from tests.support.waiting import until

HOST = "127.0.0.1"


class Broken(Exception):
    """What nobody foresaw; its text repeats what was sent."""


class BrokenEvents(MemoryEventStore):
    def __init__(self, mark: str) -> None:
        super().__init__()
        self._mark = mark

    async def append(self, commit: NewCommit) -> Commit:
        raise Broken(self._mark) from ValueError(self._mark)


async def main(mark: str) -> None:
    configure_logs(ObservabilitySettings(log_level="DEBUG"), "apis")
    commands, queries = CommandSide(Database(events=BrokenEvents(mark))), QuerySide()
    await queries.child("lena", parent_id=mark, name=mark)
    answers = 0
    for app, bearers in (
        (commands.app, [commands.bearer(one) for one in (ADMIN, MOTHER)]),
        (queries.app, [queries.bearer(one)["Authorization"] for one in (ADMIN, parent_of(mark))]),
    ):
        port = free_port()
        async with serving(app, HOST, port):
            await until(partial(listens, (HOST, port)))
            for bearer in (*bearers, f"Bearer {mark}.{mark}.{mark}", f"Basic {mark}"):
                answers += await _ask(app, port, bearer, mark)
            answers += await _say_what_is_no_http(port, mark)
    print(answers)


async def _ask(app: FastAPI, port: int, bearer: str, mark: str) -> int:
    headers = {"Authorization": bearer, "Correlation-Id": mark, "Cookie": mark, "User-Agent": mark}
    answers = 0
    async with httpx2.AsyncClient(base_url=f"http://{HOST}:{port}") as client:
        for route in guarded(app):
            for path, more, body in _requests(route, mark):
                sent = {**headers, **more}
                async with client.stream(route.method, path, headers=sent, json=body) as answer:
                    answers += answer.status_code > 0  # a stream that opens never ends
    return answers


def _requests(route: Route, mark: str) -> Iterator[tuple[str, dict[str, str], Any]]:
    """Path, headers and body; each request has canaries in one place more."""
    names = ("child_id", "parent_id", "violation_id", "conversation_id", "purpose")
    in_path = route.path.format_map(dict.fromkeys(names, mark))
    yield in_path, {}, route.body
    yield route.path.format_map(dict.fromkeys(names, f"{mark}!%20{mark}")), {}, route.body
    yield f"{in_path}?{mark}={mark}", {}, route.body
    yield f"{in_path}?{mark}=%zz", {}, route.body
    yield f"{in_path}/{mark}", {}, route.body
    if route.body is None:
        signed = {"Consistency-Token": mark, "If-None-Match": mark, "Prefer": mark}
        yield in_path, signed, None
        yield f"{in_path}?cursor={mark}&from={mark}&name={mark}", {}, None
    else:
        key = {"Idempotency-Key": f"{mark} {mark}", "traceparent": mark}
        yield in_path, key, route.body
        yield in_path, {}, dict.fromkeys(route.body, mark)
        yield in_path, {}, {**route.body, mark: mark}
        yield in_path, {"Content-Type": mark}, route.body


async def _say_what_is_no_http(port: int, mark: str) -> int:
    answers = 0
    for said in (
        f"{mark}\r\n\r\n",
        f"GET /v1/children/{mark} HTTP/9\r\nHost: {mark}\r\n\r\n",
        f"GET /{mark} HTTP/1.1\r\nHost: a\r\nUpgrade: {mark}\r\nConnection: upgrade\r\n\r\n",
        f"GET /{mark} HTTP/1.1\r\n{mark}\x00: {mark}\r\n\r\n",
        f"POST /v1/children HTTP/1.1\r\nHost: a\r\nContent-Length: {mark}\r\n\r\n{mark}",
    ):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(said.encode())
        await writer.drain()
        async with asyncio.timeout(20):
            answers += bool(await reader.readline())
        writer.close()
    return answers


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
