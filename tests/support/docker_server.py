"""The HTTP of a made-up Docker engine, on a socket or a port of this machine."""

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import AF_INET, AF_UNIX
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.docker_engine import DockerEngine, Program


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True

    def __init__(self, engine: DockerEngine, socket: Path | None) -> None:
        self.engine = engine
        self.address_family = AF_INET if socket is None else AF_UNIX
        address: Any = ("127.0.0.1", 0) if socket is None else str(socket)
        super().__init__(address, _Handler)
        engine.url = f"unix://{socket}" if socket else f"tcp://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        status, content = self.server.engine.answer(self.command, self.path, body)
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        with suppress(ConnectionError):  # the client did not wait for it
            self._send(status, raw)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  the names that the base class calls

    def _send(self, status: HTTPStatus, raw: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def address_string(self) -> str:
        return "client"  # on a unix socket there is no address

    def log_message(self, *_: object) -> None:
        return None


@contextmanager
def docker_engine(
    programs: Mapping[str, Program], *, on_a_socket: bool = False
) -> Iterator[DockerEngine]:
    """On a socket, or on a port of the loopback interface. What it runs ends with it."""
    engine = DockerEngine(dict(programs))
    with (
        TemporaryDirectory(prefix="docker-") as folder,
        _Server(engine, Path(folder) / "socket" if on_a_socket else None) as server,
    ):
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
            for container_id in list(engine.containers):
                engine.remove(container_id)
