"""Many commands at once: slices of them, sent until each has a result that stays."""

from collections.abc import Iterator, Sequence
from typing import Any, NotRequired, TypedDict

import orjson

from shared.client.answers import CommandAnswer
from shared.client.seen_writes import SeenWrites
from shared.client.transport import ATTEMPTS, TeddyProblem, Transport, Unreachable
from shared.clock import NewId

PATH = "/v1/commands:batch"
MOST_AT_A_TIME = 1_000
MOST_BYTES = 1_000_000
"""Of a request: somewhat below what the API takes."""

LONGEST_PAUSE_SECONDS = 60.0
"""A rate limit of the API may ask for it."""


class BatchCommand(TypedDict):
    """`command`: its name, e.g. RecordMessage. `path`: the ids in its route's path. `body`: as its
    route takes it. Without a key the client chooses one."""

    command: str
    path: NotRequired[dict[str, str]]
    body: NotRequired[dict[str, Any]]
    idempotency_key: NotRequired[str]


class BatchResult(TypedDict):
    """`status`: as of the command on its own. `answer` where it was executed, else `problem`;
    `retry_after`: seconds, where the same command may succeed later, with `idempotency_key`."""

    status: int
    answer: NotRequired[CommandAnswer]
    consistency_token: NotRequired[str]
    replayed: NotRequired[bool]
    problem: NotRequired[dict[str, Any]]
    retry_after: NotRequired[int]
    idempotency_key: NotRequired[str]


class Batch:
    """Keeps every command's idempotency key, so that sending it again is safe; and their order, so
    that no command overtakes an earlier one of its child."""

    def __init__(self, transport: Transport, seen: SeenWrites, ids: NewId) -> None:
        self._transport = transport
        self._seen = seen
        self._ids = ids

    async def send(self, commands: Sequence[BatchCommand]) -> list[BatchResult]:
        """The result of each, with its key. What may succeed later is sent again; after four times
        in which nothing got any further its result is the last one. A request that is refused as a
        whole, or that nobody answers, is the result of each of its commands."""
        keyed: list[dict[str, Any]] = [
            {"idempotency_key": self._ids(), **command} for command in commands
        ]
        results: dict[int, BatchResult] = {}
        waiting, attempt = list(range(len(keyed))), 1
        while waiting and attempt <= ATTEMPTS:
            latest = await self._post([(n, keyed[n]) for n in _slice(keyed, waiting)])
            results |= latest
            left = [n for n in waiting if "retry_after" in results.get(n, {"retry_after": 0})]
            attempt = attempt + 1 if len(left) == len(waiting) else 1
            pause = max((each.get("retry_after", 0) for each in latest.values()), default=0)
            waiting = left
            if pause and waiting and attempt <= ATTEMPTS:
                await self._transport.pause(pause, LONGEST_PAUSE_SECONDS)
        unsent: BatchResult = {"status": 503, "problem": {"code": "not-sent"}, "retry_after": 1}
        return [
            {**results.get(number, unsent), "idempotency_key": command["idempotency_key"]}
            for number, command in enumerate(keyed)
        ]

    async def _post(self, numbered: Sequence[tuple[int, Any]]) -> dict[int, BatchResult]:
        body = {"commands": [command for _, command in numbered]}
        numbers = [number for number, _ in numbered]
        try:
            results = (await self._transport.request("POST", PATH, body)).json()["results"]
        except TeddyProblem as refused:
            return dict.fromkeys(numbers, _whole(refused.status, refused.body, refused.retry_after))
        except Unreachable as error:
            problem = {"code": "unreachable", "detail": str(error)}
            return dict.fromkeys(numbers, _whole(503, problem, 1))
        for result in results:
            if (answer := result.get("answer")) is not None:
                token = result["consistency_token"]
                self._seen.remember(answer["child_id"], answer["version"], token)
        return dict(zip(numbers, results, strict=True))


def _whole(status: int, problem: dict[str, Any], retry_after: float | None) -> BatchResult:
    result: BatchResult = {"status": status, "problem": problem}
    if retry_after is not None:
        result["retry_after"] = max(1, round(retry_after))
    return result


def _slice(commands: Sequence[Any], waiting: Sequence[int]) -> Iterator[int]:
    """The first of `waiting` that fit into one request; one at least."""
    size = 0
    for count, number in enumerate(waiting[:MOST_AT_A_TIME]):
        size += len(orjson.dumps(commands[number])) + 1
        if count and size > MOST_BYTES:
            return
        yield number
