"""Processes that work for one statement or one snapshot, and end with whoever asked."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any


async def output_of(arguments: Sequence[str], sent: bytes = b"", **place: Any) -> tuple[int, bytes]:
    """Exit code and output of a Python process with these arguments, which does not outlive the
    call. `place`: `cwd` and `env` of the process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        **place,
    )
    try:
        said, _ = await process.communicate(sent)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said
