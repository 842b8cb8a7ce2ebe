"""Refuses servers to tests that promise to need none: a process, or a connection to one."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

SERVERS = frozenset({"mongod", "java", "noida-db", "docker", "redis-server"})
SUPERVISOR = "deploy.local"
VERSION = frozenset({"--version", "-version"})
"""Who only asks for it starts no server."""

_refused: list[str] | None = None
"""What was refused within the block; None outside of one."""


class ServerAskedFor(AssertionError):
    """The message says which; the test belongs to tests/integration."""


@contextmanager
def no_servers() -> Iterator[None]:
    """Whoever starts or reaches one within the block fails, also when it swallows the error."""
    global _refused  # noqa: PLW0603 - an audit hook can be neither removed nor given a context
    _refused = []
    try:
        yield
        refused = _refused
    finally:
        _refused = None
    if refused:
        raise ServerAskedFor("; ".join(refused))


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _refused is None:
        return
    what = None
    if event == "subprocess.Popen":
        what = _server_in([os.fsdecode(one) for one in arguments[1]])
    elif event == "socket.connect":
        what = _server_at(*arguments)
    if what is not None:
        _refused.append(what)
        raise ServerAskedFor(f"{what}; a test that needs it belongs to tests/integration")


def _server_in(command: list[str]) -> str | None:
    name = Path(command[0]).name
    if VERSION.isdisjoint(command) and (name in SERVERS or SUPERVISOR in command):
        return f"{name} was to be started"
    return None


def _server_at(asking: socket.socket, address: Any) -> str | None:
    """None for an address of this very process, and for one where nobody listens."""
    if asking.family == socket.AF_UNIX or address[1] in _own_ports() or not _listens(address):
        return None
    return f"a server at {address[0]}:{address[1]} was to be reached"


def _own_ports() -> set[int]:
    return {
        connection.laddr.port
        for connection in psutil.Process().net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def _listens(address: Any) -> bool:
    """Asked by a system call that no hook hears of: an address that nobody has can be taken."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(address)
        except OSError:
            return True
    return False


sys.addaudithook(_audit)
