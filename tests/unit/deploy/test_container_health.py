"""The health check of the image asks the process itself."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.containers.health import main
from deploy.local.plans import free_port


class Answering(BaseHTTPRequestHandler):
    status = 200
    body = b""

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/ready" else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Silent."""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A process that listens as the relay; nobody does as the others."""
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    free = {f"TEDDY_{name}_PORT": str(free_port(None)) for name in ("COMMAND", "WORKER", "QUERY")}
    yield {**free, "TEDDY_RELAY_PORT": str(server.server_port)}
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_ready_process_is_healthy_and_nobody_is_not(environment: dict[str, str]):
    assert main(["relay"], environment) == 0
    assert main([], environment) == 0
    assert main(["query"], environment) == 1


def test_a_process_that_is_not_ready_is_not_healthy(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Answering, "status", 503)

    assert main(["relay"], environment) == 1
    assert main([], environment) == 1


def test_what_a_process_waits_for_is_in_the_containers_health(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    finding = b'{"findings": ["waits for a rebuild to projections 3: run `teddy replay rebuild`"]}'
    monkeypatch.setattr(Answering, "status", 503)
    monkeypatch.setattr(Answering, "body", finding)

    assert main(["relay"], environment) == 1
    assert "run `teddy replay rebuild`" in capsys.readouterr().out


def test_an_unknown_process_is_refused(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
):
    assert main(["relais"], environment) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
