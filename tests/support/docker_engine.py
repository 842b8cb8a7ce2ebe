"""An engine that speaks as much of Docker's HTTP API as Docker's client needs to run a container,
on a socket or a port of this machine.

Images and containers are made up; what a container does is up to its image's `Program`.
"""

import io
import json
import re
import socketserver
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import AF_INET, AF_UNIX
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.ports import free_port

API_VERSION = "1.51"
OLDEST_API_VERSION = "1.44"
STDOUT = 1
GATEWAY = "127.0.0.1"

Answer = tuple[HTTPStatus, object]


class Program:
    """What an image does in its container: says `text` when it runs and has file `waits_for`."""

    def __init__(self, text: str = "", waits_for: str | None = None) -> None:
        self._text = text
        self._waits_for = waits_for

    def start(self, container: "Container") -> None:
        """May take ports in `container.ports`, or end: `container.status`."""

    def stop(self, container: "Container") -> None:
        """The container is being removed."""

    def log(self, container: "Container") -> str:
        waits = self._waits_for is not None and self._waits_for not in container.files
        return "" if container.status == "created" or waits else self._text


@dataclass
class Container:
    id: str
    program: Program
    config: Mapping[str, Any]
    status: str = "created"
    ports: dict[str, int] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def listed(self) -> dict[str, object]:
        seen = self.inspected()
        reported = {name: seen[name] for name in ("Id", "HostConfig", "NetworkSettings")}
        return {**reported, "State": self.status, "Labels": self.config["Labels"]}

    def inspected(self) -> dict[str, object]:
        addresses = {
            port: [{"HostIp": "0.0.0.0", "HostPort": str(outside)}]  # told, not bound
            for port, outside in self.ports.items()
        }
        bridge = {"bridge": {"Gateway": GATEWAY, "IPAddress": GATEWAY}}
        return {
            "Id": self.id,
            "Name": f"/{self.id}",
            "Image": "sha256:1",
            "State": {"Status": self.status, "ExitCode": 0, "Error": ""},
            "Config": {**self.config, "Tty": False},
            "HostConfig": {"NetworkMode": "bridge"},
            "NetworkSettings": {"Ports": addresses, "Networks": bridge},
        }


@dataclass
class DockerEngine:
    """`programs` by image: others cannot be had. `refusals`: what it answers with an error, by a
    pattern of the request, as `POST /containers/create`. `before` runs before each request."""

    programs: dict[str, Program]
    url: str = ""
    version: object = field(default_factory=lambda: {"ApiVersion": API_VERSION})
    refusals: dict[str, str] = field(default_factory=dict)
    before: Callable[[str], object] = field(default=lambda _request: None)
    pulled: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    containers: dict[str, Container] = field(default_factory=dict)
    removed: list[Container] = field(default_factory=list)

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        parts = urlsplit(target)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        version = re.match(r"/v(\d+\.\d+)(/.*)", parts.path)
        path = version[2] if version else parts.path
        request = f"{method} {path}"
        self.requests.append(request)
        self.before(request)
        if version and not OLDEST_API_VERSION <= version[1] <= API_VERSION:
            return _error(HTTPStatus.BAD_REQUEST, f"client version {version[1]} is not spoken")
        for pattern, text in self.refusals.items():
            if re.fullmatch(pattern, request):
                return _error(HTTPStatus.INTERNAL_SERVER_ERROR, text)
        if (named := _CONTAINER.fullmatch(request)) and named[1] not in self.containers:
            return _error(HTTPStatus.NOT_FOUND, f"No such container: {named[1]}")
        for pattern, respond in _ROUTES.items():
            if match := re.fullmatch(pattern, request):
                return respond(self, match.group(1) if match.groups() else "", asked, body)
        return _error(HTTPStatus.NOT_FOUND, f"{request} is unknown to this engine")

    def of(self, container_id: str) -> Container:
        return self.containers[container_id]

    def remove(self, container_id: str) -> None:
        container = self.containers.pop(container_id)
        container.program.stop(container)
        self.removed.append(container)


def _look_at_image(engine: DockerEngine, image: str, *_: object) -> Answer:
    if image in engine.pulled:
        return HTTPStatus.OK, {"Id": "sha256:1", "RepoTags": [image]}
    return _error(HTTPStatus.NOT_FOUND, f"No such image: {image}")


def _pull(engine: DockerEngine, _: str, asked: Mapping[str, str], __: bytes) -> Answer:
    image = f"{asked['fromImage']}:{asked['tag']}"
    if image not in engine.programs:
        return _error(HTTPStatus.NOT_FOUND, f"manifest for {image} not found")
    engine.pulled.append(image)
    return HTTPStatus.OK, {"status": f"Pulled {image}"}


def _list(engine: DockerEngine, _: str, asked: Mapping[str, str], __: bytes) -> Answer:
    filters = json.loads(asked.get("filters", "{}"))
    found = [
        container
        for container in engine.containers.values()
        if container.id in filters.get("id", [container.id])
        and all(label in container.config["Labels"] for label in filters.get("label", []))
    ]
    return HTTPStatus.OK, [container.listed() for container in found]


def _create(engine: DockerEngine, _: str, __: Mapping[str, str], body: bytes) -> Answer:
    config = json.loads(body)
    number = len(engine.containers) + len(engine.removed) + 1
    container = Container(f"{number:064x}", engine.programs[config["Image"]], config)
    engine.containers[container.id] = container
    return HTTPStatus.CREATED, {"Id": container.id, "Warnings": []}


def _put(engine: DockerEngine, container_id: str, _: Mapping[str, str], body: bytes) -> Answer:
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            engine.of(container_id).files[f"/{member.name.lstrip('/')}"] = content.read()
    return HTTPStatus.OK, {}


def _start(engine: DockerEngine, container_id: str, *_: object) -> Answer:
    container = engine.of(container_id)
    container.status = "running"
    container.ports = {port: free_port() for port in container.config.get("ExposedPorts", {})}
    container.program.start(container)
    return HTTPStatus.NO_CONTENT, b""


def _log(engine: DockerEngine, container_id: str, asked: Mapping[str, str], _: bytes) -> Answer:
    container = engine.of(container_id)
    text = container.program.log(container).encode() if asked["stdout"] == "1" else b""
    return HTTPStatus.OK, struct.pack(">BxxxL", STDOUT, len(text)) + text if text else b""


def _remove(engine: DockerEngine, container_id: str, *_: object) -> Answer:
    engine.remove(container_id)
    return HTTPStatus.NO_CONTENT, b""


_CONTAINER = re.compile(r"\w+ /containers/([0-9a-f]{64}).*")
_ROUTES: Mapping[str, Callable[[DockerEngine, str, Mapping[str, str], bytes], Answer]] = {
    r"GET /version": lambda engine, *_: (HTTPStatus.OK, engine.version),
    r"GET /networks": lambda *_: (HTTPStatus.OK, []),
    r"GET /images/(.+)/json": _look_at_image,
    r"POST /images/create": _pull,
    r"GET /containers/json": _list,
    r"POST /containers/create": _create,
    r"GET /containers/(\w+)/json": lambda e, one, *_: (HTTPStatus.OK, e.of(one).inspected()),
    r"PUT /containers/(\w+)/archive": _put,
    r"POST /containers/(\w+)/start": _start,
    r"GET /containers/(\w+)/logs": _log,
    r"DELETE /containers/(\w+)": _remove,
}


def _error(status: HTTPStatus, message: str) -> Answer:
    return status, {"message": message}


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
