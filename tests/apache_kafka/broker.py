"""A node of a cluster that a test may stop, kill and start again."""

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deploy.local.apache_kafka.installation import Installation
from deploy.local.apache_kafka.node import (
    Node,
    NodeFolder,
    format_command,
    run_command,
)
from deploy.local.process import end_with_parent

STOP_SECONDS = 60.0


class BrokerFailed(Exception):
    """A broker or Kafka's storage tool ended by itself; the message has the end of its log."""


class Broker:
    """Its records outlive its end: started again, it has what it had written."""

    def __init__(
        self, node: Node, quorum: Sequence[Node], kafka: Installation, folder: Path
    ) -> None:
        self.node = node
        self._kafka = kafka
        self._log = folder / f"broker-{node.number}.log"
        self._folder = NodeFolder(folder / f"broker-{node.number}")
        self._folder.write_properties(node, quorum)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def format(self, cluster_id: str) -> None:
        """Prepare its empty folder. Raises BrokerFailed."""
        process = await self._run(format_command(self._kafka, cluster_id))
        if await process.wait():
            raise BrokerFailed(self.last_words())

    async def start(self) -> None:
        """Returns at once; the cluster knows when it is ready."""
        assert not self.runs
        self._process = await self._run(run_command(self._kafka))

    async def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        if self._process is not None and self.runs:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM: it hands its partitions over before it ends."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            await self._process.wait()

    def last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"the end of {self._log}:", *lines])

    async def _run(self, command: Sequence[str]) -> asyncio.subprocess.Process:
        return await start_java(command, self._log, self._folder.path)


async def start_java(command: Sequence[str], log: Path, cwd: Path) -> asyncio.subprocess.Process:
    """A program of Kafka's; what it says is added to `log`. It ends with this process."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # not SIGTERM: without a quorum a broker would wait minutes to end in order
            preexec_fn=partial(end_with_parent, signal.SIGKILL),
        )
