"""`python -m deploy.local FOLDER [--servers-only] [--detach]`: the supervisor of a local stack.

With `--detach` it goes on in the background, in a session of its own, and its pid is printed.
"""

import asyncio
import logging
import os
import sys
from pathlib import Path

from aiokafka.errors import KafkaError

from deploy.local.operator_settings import set_aside
from deploy.local.plans import ServerMissing
from deploy.local.process import NotReady, Unwatched, say
from deploy.local.state import AlreadyRunning, StackFolder
from deploy.local.supervisor import Supervisor
from shared.http.serving import run_process

ALREADY_RUNNING = 2
EXPECTED = (ServerMissing, NotReady, Unwatched, KafkaError, OSError)


def main(arguments: list[str]) -> int:
    os.umask(0o077)  # of this process and all that it starts: servers, services
    folder = StackFolder(Path(arguments[0]))
    servers_only = "--servers-only" in arguments[1:]
    if exported := set_aside(os.environ):
        say(exported)
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what fails is raised, too

    async def supervise(stop: asyncio.Event) -> None:
        await Supervisor(folder, servers_only=servers_only).run(stop)

    try:
        folder.create()
        with folder.hold():
            # held before it detaches: the process that started it sees the folder held at once
            if "--detach" in arguments[1:]:
                _detach(folder.logs / "supervisor.log")
            run_process(supervise, default_loop=True)
    except AlreadyRunning as running:
        say(running, sys.stderr)
        return ALREADY_RUNNING
    except EXPECTED as failed:
        say(failed, sys.stderr)
        return 1
    return 0


def _detach(log: Path) -> None:
    """Go on as a child in a session of its own; the parent prints its pid and ends."""
    pid = os.fork()
    if pid:
        print(pid, flush=True)
        os._exit(0)
    os.setsid()
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(handle, standard)
    os.close(handle)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
