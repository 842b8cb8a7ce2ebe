"""Programs that the stack runs to their end before a server can start."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.process import end_with_parent


@dataclass(frozen=True, slots=True)
class Ended:
    """`said`: the last line on standard error, or on standard output where that is empty."""

    code: int
    said: str


async def run_tool(command: Sequence[str], seconds: float, cwd: Path | None = None) -> Ended:
    """Run `command`; it ends when this process ends or is cancelled. Raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=end_with_parent,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    lines = [line for line in (err or out).decode(errors="replace").splitlines() if line.strip()]
    return Ended(process.returncode or 0, lines[-1].strip() if lines else "")
