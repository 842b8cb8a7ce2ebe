"""Where the tests get their servers from, and how a container becomes a replica set."""

from contextlib import nullcontext
from unittest.mock import MagicMock

import pytest

from tests.support import stack
from tests.support.stack import Servers, choose

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
) -> None:
    chosen = choose(
        environment, lambda: docker, lambda: nullcontext(CONTAINERS), lambda: nullcontext(EMBEDDED)
    )

    with chosen() as servers:
        assert servers.source == source


def test_docker_is_not_asked_when_the_environment_has_servers() -> None:
    def asked() -> bool:
        raise AssertionError("Docker was asked")

    choose(URLS, asked, lambda: nullcontext(CONTAINERS), lambda: nullcontext(EMBEDDED))


def test_a_socket_nobody_listens_on_is_no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    assert stack.docker_answers() is False


def test_the_mongodb_container_is_a_replica_set_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testcontainers.core.container.DockerClient", lambda **_: None)

    container = stack.mongo_container()

    assert "--replSet rs0" in str(container._command)
    assert [str(port) for port in container.ports] == [str(stack.MONGO_PORT)]


def test_the_kafka_container_sends_clients_back_to_where_they_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("testcontainers.core.container.DockerClient", lambda **_: None)

    container = stack.kafka_container(23_456)

    assert container.image.startswith("apache/kafka:")
    assert {str(inside): outside for inside, outside in container.ports.items()} == {
        "23456": 23_456
    }
    assert container.env["KAFKA_ADVERTISED_LISTENERS"] == "CLIENTS://localhost:23456"
    assert "CLIENTS://:23456" in container.env["KAFKA_LISTENERS"]


def test_containers_are_waited_for_and_their_addresses_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    waited: list[str] = []
    initiated: list[str] = []
    mongo, kafka = MagicMock(), MagicMock()
    mongo.get_container_host_ip.return_value, mongo.get_exposed_port.return_value = "host", 4_711
    kafka.__enter__.return_value = kafka
    monkeypatch.setattr(stack, "mongo_container", lambda: mongo)
    monkeypatch.setattr(stack, "kafka_container", lambda port: kafka)
    monkeypatch.setattr(stack, "wait_for_logs", lambda _, text, timeout: waited.append(text))
    monkeypatch.setattr(stack, "initiate", initiated.append)
    # when
    with stack.container_servers() as servers:
        # then
        assert waited == ["Waiting for connections", "Kafka Server started"]
        assert initiated == [servers.mongo_url] == ["mongodb://host:4711/?directConnection=true"]
        assert servers.kafka_bootstrap.startswith("localhost:")
        assert servers.source == "containers"
    assert mongo.__exit__.called
    assert kafka.__exit__.called
