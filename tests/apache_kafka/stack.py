"""A local stack whose Kafka is the cluster: MongoDB and the four services as `teddy up` runs them.

Its supervisor is a child of the tests, which ends when they do, however they end.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from deploy.local import control, plans
from deploy.local.process import end_with_parent
from deploy.local.state import StackFolder
from tests.apache_kafka.cluster import NODES
from tests.support.waiting import until

REPLICATED = {"TEDDY_KAFKA_REPLICATION": str(NODES)}
HOLD_SECONDS = 30.0


@asynccontextmanager
async def stack_on(
    bootstrap: str, path: Path, *, servers_only: bool = False
) -> AsyncIterator[StackFolder]:
    """Ready on entry; stopped behind the block. Raises StackFailed."""
    folder = StackFolder(path)
    folder.create()
    flags = ["--servers-only"] if servers_only else []
    environment = {plans.KAFKA_BOOTSTRAP: bootstrap, **REPLICATED}
    with (folder.logs / "supervisor.log").open("ab") as log:
        supervisor = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.local", str(folder.path), *flags),
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,
        )
    try:
        await until(lambda: folder.is_held() or supervisor.returncode is not None, HOLD_SECONDS)
        await asyncio.to_thread(partial(control.up, folder, servers_only=servers_only))
        yield folder
    finally:
        if supervisor.returncode is None:
            supervisor.terminate()
        await supervisor.wait()
