"""Work that several processes share: each is started with its part, and none outlives the one that
started it."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager


@asynccontextmanager
async def started(
    module: str, parts: Sequence[Sequence[str]], stdout: int = asyncio.subprocess.DEVNULL
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """`python -m module` with the arguments of each part; ended with the block."""
    processes: list[asyncio.subprocess.Process] = []
    try:
        for arguments in parts:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *arguments),
                stdin=asyncio.subprocess.PIPE,  # held open: see end_with_parent
                stdout=stdout,
                stderr=asyncio.subprocess.PIPE,
            )
            processes.append(process)
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def last_line_of_failed(process: asyncio.subprocess.Process) -> str | None:
    """Of its standard error, once it has ended; None where it succeeded."""
    assert process.stderr is not None
    written = await process.stderr.read()
    if await process.wait() == 0:
        return None
    lines = written.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "the process was killed"


def end_with_parent() -> None:
    """Have this process end when the one that started it does, however that ends."""

    def end() -> None:
        sys.stdin.read()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
