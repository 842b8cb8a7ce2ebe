"""One caller who takes all that it can get: many connections that keep coming back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count

LOOPBACK = "127.0.0.1"
OTHER = "127.0.0.2"
"""Another address of the loopback network, which Linux has without being told."""

TRICKLE_SECONDS = 0.5
BACK_SECONDS = 0.05
LENGTH = b"content-length: "

Address = tuple[str, int]
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Behaviour = Callable[[Line], Awaitable[None]]
"""What is done on a connection until the server closes it."""


@dataclass
class Greedy:
    """`connected`: how often a connection was made; `open`: those that are now."""

    connected: int = 0
    open: int = 0


async def connect(address: Address, source: str = LOOPBACK) -> Line:
    return await asyncio.open_connection(*address, local_addr=(source, 0))


async def silent(line: Line) -> None:
    """Send nothing."""
    await line[0].read()


def slow_body(head: bytes) -> Behaviour:
    """Send a byte of a body now and then."""

    async def behave(line: Line) -> None:
        reader, writer = line
        writer.write(head)
        answer = asyncio.ensure_future(reader.read())
        try:
            while not (await asyncio.wait({answer}, timeout=TRICKLE_SECONDS))[0]:
                writer.write(b" ")
        finally:
            answer.cancel()

    return behave


def flood(requests: Sequence[bytes] | Callable[[int], bytes]) -> Behaviour:
    """Send one request after the other, as fast as they are answered."""
    numbers = count()
    nth = requests if callable(requests) else lambda number: requests[number % len(requests)]

    async def behave(line: Line) -> None:
        while True:
            line[1].write(nth(next(numbers)))
            await read_answer(line[0])

    return behave


async def read_answer(reader: asyncio.StreamReader) -> int:
    """The status of an answer, read whole. Raises EOFError when there is none."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.index(LENGTH) + len(LENGTH)
    await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
    return int(head[9:12])


async def ask(address: Address, request: bytes, source: str = OTHER) -> int:
    """The status of the answer to one request on a connection of its own; 0 when there is none."""
    writer = None
    try:
        reader, writer = await connect(address, source)
        writer.write(request)
        return await read_answer(reader)
    except (OSError, EOFError):
        return 0
    finally:
        if writer is not None:
            writer.close()


@asynccontextmanager
async def attack(
    address: Address, connections: int, behave: Behaviour, *, again: bool = True
) -> AsyncIterator[Greedy]:
    """So many connections beside the block, each made anew when it ends, or not `again`."""
    greedy = Greedy()
    tasks = [
        asyncio.create_task(_attack(address, behave, greedy, again)) for _ in range(connections)
    ]
    try:
        yield greedy
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _attack(address: Address, behave: Behaviour, greedy: Greedy, again: bool) -> None:
    while True:
        with suppress(OSError, EOFError):
            line = await connect(address)
            greedy.connected += 1
            greedy.open += 1
            try:
                await behave(line)
            finally:
                greedy.open -= 1
                line[1].close()
        if not again:
            return
        await asyncio.sleep(BACK_SECONDS)
