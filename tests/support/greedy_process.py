"""`python -m tests.support.greedy_process`: one greedy caller as a process, so that what it costs a
client is no time of those who are measured. Reads a Load as JSON, says `ready`, ends when it is
told or after two minutes."""

import asyncio
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Literal

import orjson
import uvloop

from tests.support.greedy_caller import Behaviour, attack, flood, silent, slow_body
from tests.support.waiting import until

MOST_SECONDS = 120.0
GET_GOING_SECONDS = 10.0

Kind = Literal["silent", "slow bodies", "flood"]


@dataclass(frozen=True)
class Load:
    """`requests`: heads, or whole requests of a flood."""

    host: str
    port: int
    kind: Kind
    connections: int
    requests: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @property
    def behaviour(self) -> Behaviour:
        sent = [one.encode() for one in self.requests]
        match self.kind:
            case "silent":
                return silent
            case "slow bodies":
                return slow_body(sent[0])
            case "flood":
                return flood(sent)


async def _run(load: Load) -> None:
    async with attack((load.host, load.port), load.connections, load.behaviour) as greedy:
        with suppress(TimeoutError):
            await until(lambda: greedy.connected >= load.connections, GET_GOING_SECONDS)
        print("ready", flush=True)
        await asyncio.sleep(MOST_SECONDS)


if __name__ == "__main__":
    uvloop.run(_run(Load(**orjson.loads(sys.stdin.buffer.read()))))
