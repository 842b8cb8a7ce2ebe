"""Servers for the tests: those the environment names, else containers, else the local stack's."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local import control, plans
from deploy.local.state import StackFolder
from tests.support.container_servers import container_servers
from tests.support.docker_answers import docker_answers
from tests.support.servers import Servers

__all__ = ["Servers", "choose", "chosen", "embedded_servers"]

Source = Callable[[], AbstractContextManager[Servers]]


def choose(
    environment: Mapping[str, str],
    docker_answers: Callable[[], bool],
    containers: Source,
    embedded: Source,
) -> Source:
    """Both addresses in the environment win, then a Docker engine that answers, then embedded."""
    mongo_url = environment.get(plans.MONGO_URLS[0])
    bootstrap = environment.get(plans.KAFKA_BOOTSTRAP)
    if mongo_url and bootstrap:
        return lambda: _given(Servers(mongo_url, bootstrap, "environment"))
    return containers if docker_answers() else embedded


def chosen() -> Source:
    return choose(os.environ, docker_answers, container_servers, embedded_servers)


@contextmanager
def embedded_servers() -> Iterator[Servers]:
    with TemporaryDirectory(prefix="teddy-servers-") as path:
        folder = StackFolder(Path(path))
        state = control.up(folder, servers_only=True)
        try:
            environment = state.environment
            yield Servers(
                environment[plans.MONGO_URLS[0]], environment[plans.KAFKA_BOOTSTRAP], "embedded"
            )
        finally:
            control.down(folder)


@contextmanager
def _given(servers: Servers) -> Iterator[Servers]:
    yield servers
