"""Where the tests get their servers from."""

from contextlib import nullcontext

import pytest

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
