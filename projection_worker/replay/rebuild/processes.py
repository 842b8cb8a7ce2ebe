"""The processes of a rebuild, watched from the one that leads it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

MODULE = "projection_worker.replay.rebuild.process"


class ProcessFailed(Exception):
    """A process of the rebuild ended early; the message is its last line."""


async def run_processes(work: str, generation: int, number: int, rate: float | None) -> None:
    """`number` processes share `work` and `rate`; returns when all are done.

    Raises ProcessFailed as soon as one fails; then, and when cancelled, the others are ended.
    """
    arguments = [work, "--generation", str(generation), "--of", str(number)]
    if rate is not None:
        arguments += ["--rate", str(rate / number)]
    parts = [[*arguments, "--part", str(part)] for part in range(number)]
    async with _started(parts) as processes:
        await asyncio.gather(*map(_succeeds, processes))


@asynccontextmanager
async def _started(
    parts: Sequence[Sequence[str]],
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    processes: list[asyncio.subprocess.Process] = []
    try:
        for arguments in parts:
            processes.append(await _start(arguments))
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _start(arguments: Sequence[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        MODULE,
        *arguments,
        stdin=asyncio.subprocess.PIPE,  # held open: the process ends with this one
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def _succeeds(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    told = await process.stderr.read()
    if await process.wait() != 0:
        lines = told.decode(errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it was killed"
        raise ProcessFailed(f"a process of the rebuild ended ({process.returncode}): {last}")
