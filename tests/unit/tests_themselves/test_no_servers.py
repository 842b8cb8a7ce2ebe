"""The tests of this folder's neighbours are kept from servers, whatever they try."""

import asyncio
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.support.no_servers import ServerAskedFor, no_servers
from tests.support.ports import free_port

LISTENS = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_no_server_can_be_started() -> None:
    with (
        pytest.raises(ServerAskedFor, match="mongod was to be started"),
        no_servers(),
        suppress(ServerAskedFor),
    ):
        subprocess.run(["/usr/bin/mongod", "--dbpath", "folder"], check=False)


async def test_no_stack_can_be_started() -> None:
    with pytest.raises(ServerAskedFor, match="was to be started"), no_servers():
        await asyncio.create_subprocess_exec(sys.executable, "-m", "deploy.local", "folder")


def test_no_other_process_can_be_reached() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LISTENS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        address = ("127.0.0.1", int(other.stdout.readline()))
        with (
            socket.socket() as asking,
            pytest.raises(ServerAskedFor, match=f"at 127.0.0.1:{address[1]}"),
            no_servers(),
        ):
            asking.connect(address)
        other.communicate()


async def test_this_process_and_nobody_at_all_may_be_asked() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with no_servers():
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", free_port())
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("fixture", ["servers", "mongo_url", "kafka_bootstrap", "services"])
def test_the_fixtures_of_servers_refuse(request: pytest.FixtureRequest, fixture: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="belongs to tests/"):
        request.getfixturevalue(fixture)
