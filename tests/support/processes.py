"""The services as processes of a test's own, and where these find their stores."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx2


@asynccontextmanager
async def process_of(
    module: str, environment: Mapping[str, str], stderr: Path | int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m module` with `environment` beside this process's; killed at the end if it still
    runs. `stderr`: as of subprocesses, or a file to which it is added."""
    with ExitStack() as files:
        log = files.enter_context(stderr.open("ab")) if isinstance(stderr, Path) else stderr
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module), env={**os.environ, **environment}, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def is_ready(url: str) -> bool:
    """As the process at `url` says; not as long as it does not answer."""
    try:
        async with httpx2.AsyncClient() as http:
            return (await http.get(f"{url}/health/ready")).is_success
    except httpx2.TransportError:
        return False


def store_settings(mongo_url: str, database: str, *stores: str) -> dict[str, str]:
    """Those that tell where these are (WRITE, READ, KEYS, AUDIT; all of them by default)."""
    names = [f"TEDDY_{store}" for store in stores or ("WRITE", "READ", "KEYS", "AUDIT")]
    urls = dict.fromkeys((f"{name}_MONGO_URL" for name in names), mongo_url)
    return urls | dict.fromkeys((f"{name}_DATABASE" for name in names), database)
