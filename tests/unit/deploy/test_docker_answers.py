"""Which engines the tests take for one that they can use."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import docker_answers as probe
from tests.support.docker_answers import docker_answers
from tests.support.docker_server import docker_engine
from tests.support.ports import free_port


@pytest.mark.parametrize("on_a_socket", [True, False])
def test_an_engine_that_answers_counts(monkeypatch: pytest.MonkeyPatch, on_a_socket: bool) -> None:
    with docker_engine({}, on_a_socket=on_a_socket) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.url)

        assert docker_answers() is True


@pytest.mark.parametrize(
    "version", [{"ApiVersion": "1.23"}, {"ApiVersion": "soon"}, {"Version": "29.0.0"}, ["1.51"]]
)
def test_an_engine_whose_api_the_client_does_not_speak_does_not_count(
    monkeypatch: pytest.MonkeyPatch, version: object
) -> None:
    with docker_engine({}) as engine:
        engine.version = version
        monkeypatch.setenv("DOCKER_HOST", engine.url)

        assert docker_answers() is False


def test_an_engine_that_refuses_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with docker_engine({}) as engine:
        engine.refusals["GET /version"] = "permission denied"
        monkeypatch.setenv("DOCKER_HOST", engine.url)

        assert docker_answers() is False


def test_an_engine_that_answers_too_late_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(probe, "ANSWER_SECONDS", 0.1)
    with docker_engine({}) as engine:
        engine.before = lambda _: answered.wait()
        monkeypatch.setenv("DOCKER_HOST", engine.url)

        assert docker_answers() is False

        answered.set()


def test_what_does_not_speak_http_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with _listener(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")

        assert docker_answers() is False


@pytest.mark.parametrize(
    "host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:{free}", "nonsense://", "tcp://:-1"]
)
def test_an_address_nobody_listens_on_is_no_engine(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host.format(free=free_port()))

    assert docker_answers() is False


@contextmanager
def _listener(greeting: bytes) -> Iterator[int]:
    """Greets the first who connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=greet)
        thread.start()
        yield server.getsockname()[1]
        thread.join()
