"""Many commands at once: slices of them, sent until each has a result that stays."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.client.answers import BatchCommand, BatchResult
from shared.client.seen_writes import SeenWrites
from shared.client.transport import ATTEMPTS, Transport
from shared.clock import NewId

PATH = "/v1/commands:batch"
MOST_AT_A_TIME = 1_000


class Batch:
    """Keeps every command's idempotency key, so that sending it again is safe; and their order, so
    that no command overtakes an earlier one of its child."""

    def __init__(self, transport: Transport, seen: SeenWrites, ids: NewId) -> None:
        self._transport = transport
        self._seen = seen
        self._ids = ids

    async def send(self, commands: Sequence[BatchCommand]) -> list[BatchResult]:
        """The result of each. What may succeed later is sent again; after four times in which
        nothing got any further its result is the last one. Raises TeddyProblem, Unreachable."""
        keyed = [{"idempotency_key": self._ids(), **command} for command in commands]
        results: dict[int, BatchResult] = {}
        waiting, attempt = list(range(len(keyed))), 1
        while waiting and attempt <= ATTEMPTS:
            latest = await self._post(keyed, waiting[:MOST_AT_A_TIME])
            results |= latest
            left = [n for n in waiting if "retry_after" in results.get(n, {"retry_after": 0})]
            attempt = attempt + 1 if len(left) == len(waiting) else 1
            pause = max((each.get("retry_after", 0) for each in latest.values()), default=0)
            waiting = left
            if pause and attempt <= ATTEMPTS:
                await self._transport.pause(pause)
        return [results[number] for number in range(len(keyed))]

    async def _post(
        self, commands: Sequence[Mapping[str, Any]], numbers: Sequence[int]
    ) -> dict[int, BatchResult]:
        body = {"commands": [commands[number] for number in numbers]}
        results = (await self._transport.request("POST", PATH, body)).json()["results"]
        for result in results:
            if (answer := result.get("answer")) is not None:
                token = result["consistency_token"]
                self._seen.remember(answer["child_id"], answer["version"], token)
        return dict(zip(numbers, results, strict=True))
