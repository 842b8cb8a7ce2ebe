"""Refuses servers to tests that promise to need none: a process, or a connection to one. Its
fixtures are those of these tiers: `make test-unit` takes seconds, and runs anywhere."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

SERVERS = frozenset({"mongod", "java", "noida-db", "docker", "redis-server"})
SUPERVISOR = "deploy.local"
VERSION = frozenset({"--version", "-version"})
"""Who only asks for it starts no server."""


class ServerAskedFor(AssertionError):
    """The message says which; the test belongs to tests/integration."""


@contextmanager
def no_servers() -> Iterator[None]:
    """Whoever starts or reaches one within the block fails, also when it swallows the error."""
    refused: list[str] = []
    begin, connect = subprocess.Popen.__init__, socket.socket.connect

    def begin_no_server(process: Any, args: Any, *more: Any, **options: Any) -> None:
        _refuse(_server_in(args), refused)
        begin(process, args, *more, **options)

    def connect_to_no_server(asking: socket.socket, address: Any) -> None:
        _refuse(_server_at(asking, address), refused)
        connect(asking, address)

    with pytest.MonkeyPatch.context() as patch:
        # no audit hook: with one, coverage's traces of two threads that begin at once collide
        patch.setattr(subprocess.Popen, "__init__", begin_no_server)
        patch.setattr(socket.socket, "connect", connect_to_no_server)
        yield
    if refused:
        raise ServerAskedFor("; ".join(refused))


def _refuse(what: str | None, refused: list[str]) -> None:
    if what is not None:
        refused.append(what)
        raise ServerAskedFor(f"{what}; a test that needs it belongs to tests/integration")


def _server_in(args: Any) -> str | None:
    """`args`: as `subprocess.Popen` takes them."""
    words = [args] if isinstance(args, (str, bytes, os.PathLike)) else args
    command = [str(os.fsdecode(word)) for word in words]
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


@pytest.fixture(autouse=True)
def serverless() -> Iterator[None]:
    with no_servers():
        yield


@pytest.fixture(scope="session")
def servers() -> None:
    pytest.fail("a test that needs servers belongs to tests/integration")


@pytest.fixture(scope="session")
def services() -> None:
    pytest.fail("a test that needs a whole stack belongs to tests/e2e")
