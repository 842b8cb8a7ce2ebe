"""Servers for the tests: those the environment names, else containers where a Docker engine
answers, else the local stack's."""

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
from docker.constants import DEFAULT_DOCKER_API_VERSION, MINIMUM_DOCKER_API_VERSION
from docker.errors import DockerException
from docker.utils import version_lt
from requests.exceptions import RequestException
from testcontainers.core.docker_client import get_docker_host

from deploy.local import control, plans
from deploy.local.state import StackFolder
from tests.support.container_servers import container_servers
from tests.support.servers import Servers

DOCKER_SOCKET = "unix:///var/run/docker.sock"
ANSWER_SECONDS = 3.0


def docker_answers() -> bool:
    """Whether an engine answers, in time, and in a version that Docker's client speaks.

    A client without an engine does not count, nor what else may listen there.
    """
    host = get_docker_host() or DOCKER_SOCKET
    if not _listens(host):
        return False
    try:
        engine = docker.from_env(
            # one that is told asks nobody, and is not used here
            version=DEFAULT_DOCKER_API_VERSION,
            timeout=ANSWER_SECONDS,
            environment={**os.environ, "DOCKER_HOST": host},
            use_ssh_client=host.startswith("ssh://"),
        )
    except (DockerException, ValueError):  # what the address says is none
        return False
    try:
        reported = engine.api.version(api_version=False)
    except (DockerException, RequestException):
        return False
    finally:
        engine.close()
    return _is_spoken(reported)


def _listens(docker_host: str) -> bool:
    """False for a socket that nobody listens on: the Docker client would leave it open."""
    scheme, _, path = docker_host.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_SECONDS)
        return probe.connect_ex(f"/{path.lstrip('/')}") == 0


def _is_spoken(reported: object) -> bool:
    newest = str(reported.get("ApiVersion")) if isinstance(reported, dict) else ""
    if re.fullmatch(r"\d+\.\d+", newest) is None:
        return False
    return not version_lt(newest, MINIMUM_DOCKER_API_VERSION)


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
        return lambda: nullcontext(Servers(mongo_url, bootstrap, "environment"))
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
