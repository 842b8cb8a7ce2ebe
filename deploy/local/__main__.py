"""`python -m deploy.local FOLDER [--servers-only]`: the supervisor, in the foreground."""

import asyncio
import sys
from pathlib import Path

from aiokafka.errors import KafkaError

from deploy.local.binaries import ServerMissing
from deploy.local.process import NotReady
from deploy.local.state import AlreadyRunning, StackFolder
from deploy.local.supervisor import Supervisor
from shared.http.serving import run_process

EXPECTED = (ServerMissing, NotReady, KafkaError, OSError)


def main(arguments: list[str]) -> int:
    folder = StackFolder(Path(arguments[0]))
    servers_only = "--servers-only" in arguments[1:]
    folder.create()

    async def supervise(stop: asyncio.Event) -> None:
        await Supervisor(folder, servers_only=servers_only).run(stop)

    try:
        with folder.hold():
            run_process(supervise, default_loop=True)
    except AlreadyRunning as running:
        print(running, file=sys.stderr)
        return 2
    except EXPECTED as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
