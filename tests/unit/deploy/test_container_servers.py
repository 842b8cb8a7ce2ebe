"""Where the tests get their servers from, and containers on a made-up engine."""

import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from testcontainers.core.config import ConnectionMode, testcontainers_config

from tests.support import container_servers as servers
from tests.support import stack as probe
from tests.support.container_servers import (
    KAFKA_ADDRESS,
    KAFKA_COMMAND,
    KAFKA_PORT,
    KAFKA_RUN,
    OWNER,
    ContainersFailed,
    KafkaContainer,
    MongoContainer,
    container_servers,
    remove_orphans,
)
from tests.support.docker_engine import GATEWAY, Container, DockerEngine, Program, docker_engine
from tests.support.ports import free_port
from tests.support.stack import Servers, choose, docker_answers

MONGO, KAFKA = (servers.image_of(service) for service in ("mongo", "kafka"))
PROGRAMS = {
    MONGO: Program('{"msg":"Waiting for connections"}\n'),
    KAFKA: Program("[KafkaRaftServer nodeId=1] Kafka Server started\n", KAFKA_ADDRESS),
}


class Ends(Program):
    """Says its text and ends."""

    def start(self, container: Container) -> None:
        container.status = "exited"


@pytest.fixture(params=["on a socket", "on a port"])
def engine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DockerEngine]:
    with docker_engine(PROGRAMS, on_a_socket=request.param == "on a socket") as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.url)
        monkeypatch.setattr(
            testcontainers_config, "connection_mode_override", ConnectionMode.docker_host
        )
        yield engine


def _host(engine: DockerEngine) -> str:
    return "localhost" if engine.url.startswith("unix:") else "127.0.0.1"


def test_kafka_is_told_the_address_at_which_its_clients_reach_it(engine: DockerEngine):
    # when it starts, which it does not before it is told
    with KafkaContainer() as kafka:
        # then
        (container,) = engine.containers.values()
        assert kafka.address == f"{_host(engine)}:{container.ports[f'{KAFKA_PORT}/tcp']}"
        assert container.files[KAFKA_ADDRESS].decode() == kafka.address
        assert f"CLIENTS://$(cat {KAFKA_ADDRESS})" in container.config["Cmd"][-1]
        assert not any("ADVERTISED" in setting for setting in container.config["Env"])
    assert engine.containers == {}


def test_kafka_s_container_waits_for_the_address_and_advertises_it(tmp_path: Path):
    # given the container's command, but for where the file lies and what it starts at last
    address = tmp_path / "address"
    command = KAFKA_COMMAND.replace(KAFKA_ADDRESS, str(address)).replace(KAFKA_RUN, "env")
    container = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True)
    # when
    address.write_text("engine.example:49153")
    output, _ = container.communicate(timeout=60)
    # then
    expected = "CLIENTS://engine.example:49153,OWN://localhost:9093"
    assert f"KAFKA_ADVERTISED_LISTENERS={expected}" in output.splitlines()


@pytest.mark.parametrize("mode", list(ConnectionMode))
def test_tests_that_run_in_a_container_themselves_have_an_address_that_leads_out_of_it(
    engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, mode: ConnectionMode
):
    monkeypatch.setattr(testcontainers_config, "connection_mode_override", mode)

    with KafkaContainer() as kafka:
        (container,) = engine.containers.values()
        (outside,) = container.ports.values()
        expected = {
            ConnectionMode.docker_host: f"{_host(engine)}:{outside}",
            ConnectionMode.gateway_ip: f"{GATEWAY}:{outside}",
            ConnectionMode.bridge_ip: f"{GATEWAY}:{KAFKA_PORT}",
        }
        assert kafka.address == container.files[KAFKA_ADDRESS].decode() == expected[mode]


def test_mongodb_is_reached_without_a_look_at_its_replica_set_s_members(engine: DockerEngine):
    with MongoContainer() as mongo:
        (container,) = engine.containers.values()
        (outside,) = container.ports.values()
        assert mongo.url == f"mongodb://{_host(engine)}:{outside}/?directConnection=true"
        assert container.config["Cmd"][:3] == ["mongod", "--replSet", "rs0"]


def test_an_image_that_is_there_is_not_brought_again(engine: DockerEngine):
    for _ in range(2):
        with MongoContainer():
            pass

    assert engine.pulled == [MONGO]


@pytest.mark.parametrize(
    ("request_", "made"),
    [
        (r"GET /containers/json", 0),
        (r"POST /images/create", 0),
        (r"POST /containers/create", 0),
        (r"POST /containers/\w+/start", 1),
        (r"GET /version", 0),
        (r"GET /containers/\w+/json", 1),
        (r"GET /containers/\w+/logs", 1),
    ],
)
def test_a_start_that_fails_half_way_leaves_nothing_and_is_reported_in_one_line(
    engine: DockerEngine, request_: str, made: int
):
    engine.refusals[request_] = "no space left on device"

    message = _failure()

    assert "no space left on device" in message
    assert (len(engine.removed), engine.containers) == (made, {})


def test_an_image_that_cannot_be_had_is_named(engine: DockerEngine):
    del engine.programs[MONGO]

    assert f"manifest for {MONGO} not found" in _failure()


def test_a_container_that_ends_is_removed_and_its_last_words_are_reported(engine: DockerEngine):
    engine.programs[MONGO] = Ends("reading options\n\nno such option: --replSet\n")

    assert f"{MONGO} is exited and did not become ready" in (message := _failure())
    assert "no such option: --replSet" in message
    assert engine.containers == {}


def test_a_container_that_does_not_become_ready_or_that_nobody_reaches_is_given_up(
    engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(servers, "START_SECONDS", 0.1)

    assert "Connection refused" in _failure()
    assert engine.containers == {}
    engine.programs[MONGO] = Program("starting\n")

    assert f"{MONGO} is running and did not become ready" in _failure()
    assert engine.containers == {}


def test_what_fails_in_a_test_is_reported_as_it_is(engine: DockerEngine):
    with pytest.raises(OSError, match=r"^of the test$"), MongoContainer():
        raise OSError("of the test")

    assert engine.containers == {}


@pytest.mark.parametrize("engine", ["on a socket"], indirect=True)
def test_containers_of_a_test_run_that_was_killed_are_removed_by_the_next(engine: DockerEngine):
    # given one whose process was killed, one of a process that runs, one of another machine
    killed = subprocess.run(
        [sys.executable, "-c", DIES_WITH_A_CONTAINER], env=os.environ, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    (orphan,) = engine.containers.values()
    with MongoContainer(), MongoContainer() as elsewhere:
        far = engine.of(elsewhere.get_container_id())
        far.config["Labels"][OWNER] = orphan.config["Labels"][OWNER].replace(
            platform.node(), "another machine"
        )
        # when
        remove_orphans()
        # then
        assert engine.removed == [orphan]


def test_an_orphan_that_another_run_removed_first_is_no_failure(engine: DockerEngine):
    with MongoContainer() as mongo:
        container = engine.of(mongo.get_container_id())
        container.config["Labels"][OWNER] = f"{platform.node()}/{os.getpid()}/0.0"

        def be_quicker(request: str) -> None:
            if request.startswith("DELETE") and container.id in engine.containers:
                engine.remove(container.id)

        engine.before = be_quicker
        # when
        remove_orphans()
        # then
        assert engine.removed == [container]
        engine.before = str
        engine.containers[container.id] = container  # for the block to remove


DIES_WITH_A_CONTAINER = """
import os, signal
from tests.support.container_servers import MongoContainer
with MongoContainer():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _failure() -> str:
    with pytest.raises(ContainersFailed) as failed, container_servers():
        pass
    message = str(failed.value)
    assert "\n" not in message
    assert message.endswith("TEDDY_WRITE_MONGO_URL and TEDDY_KAFKA_BOOTSTRAP.")
    return message


@pytest.mark.parametrize("on_a_socket", [True, False])
def test_an_engine_that_answers_counts(monkeypatch: pytest.MonkeyPatch, on_a_socket: bool):
    with docker_engine({}, on_a_socket=on_a_socket) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.url)

        assert docker_answers() is True


@pytest.mark.parametrize(
    "version", [{"ApiVersion": "1.23"}, {"ApiVersion": "soon"}, {"Version": "29.0.0"}, ["1.51"]]
)
def test_an_engine_whose_api_the_client_does_not_speak_does_not_count(
    monkeypatch: pytest.MonkeyPatch, version: object
):
    with docker_engine({}) as engine:
        engine.version = version
        monkeypatch.setenv("DOCKER_HOST", engine.url)

        assert docker_answers() is False


def test_an_engine_that_refuses_does_not_count(monkeypatch: pytest.MonkeyPatch):
    with docker_engine({}) as engine:
        engine.refusals["GET /version"] = "permission denied"
        monkeypatch.setenv("DOCKER_HOST", engine.url)

        assert docker_answers() is False


def test_an_engine_that_answers_too_late_does_not_count(monkeypatch: pytest.MonkeyPatch):
    answered = threading.Event()
    monkeypatch.setattr(probe, "ANSWER_SECONDS", 0.1)
    with docker_engine({}) as engine:
        engine.before = lambda _: answered.wait()
        monkeypatch.setenv("DOCKER_HOST", engine.url)

        assert docker_answers() is False

        answered.set()


def test_what_does_not_speak_http_does_not_count(monkeypatch: pytest.MonkeyPatch):
    with _listener(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")

        assert docker_answers() is False


@pytest.mark.parametrize(
    "host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:{free}", "nonsense://", "tcp://:-1"]
)
def test_an_address_nobody_listens_on_is_no_engine(monkeypatch: pytest.MonkeyPatch, host: str):
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


CONTAINERS = Servers("mongodb://container/", "container:9092", "containers")
EMBEDDED = Servers("mongodb://embedded/", "embedded:9092", "embedded")
URLS = {"TEDDY_WRITE_MONGO_URL": "mongodb://given/", "TEDDY_KAFKA_BOOTSTRAP": "given:9092"}


@pytest.mark.parametrize(
    ("environment", "docker", "source"),
    [
        (URLS, True, "environment"),
        (URLS, False, "environment"),
        ({}, True, "containers"),
        ({}, False, "embedded"),
        ({"TEDDY_KAFKA_BOOTSTRAP": "given:9092"}, False, "embedded"),
    ],
)
def test_the_environment_comes_first_then_docker_then_embedded(
    environment: dict[str, str], docker: bool, source: str
):
    chosen = choose(
        environment, lambda: docker, lambda: nullcontext(CONTAINERS), lambda: nullcontext(EMBEDDED)
    )

    with chosen() as servers:
        assert servers.source == source


def test_docker_is_not_asked_when_the_environment_has_servers():
    def asked() -> bool:
        raise AssertionError("Docker was asked")

    choose(URLS, asked, lambda: nullcontext(CONTAINERS), lambda: nullcontext(EMBEDDED))
