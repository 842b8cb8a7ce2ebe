"""Whether there is a Docker engine that tests can use."""

import os
import re
import socket

import docker
from docker.constants import DEFAULT_DOCKER_API_VERSION, MINIMUM_DOCKER_API_VERSION
from docker.errors import DockerException
from docker.utils import version_lt
from requests.exceptions import RequestException
from testcontainers.core.docker_client import get_docker_host

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
        told = engine.api.version(api_version=False)
    except (DockerException, RequestException):
        return False
    finally:
        engine.close()
    return _is_spoken(told)


def _listens(docker_host: str) -> bool:
    """False for a socket that nobody listens on: the Docker client would leave it open."""
    scheme, _, path = docker_host.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_SECONDS)
        return probe.connect_ex(f"/{path.lstrip('/')}") == 0


def _is_spoken(told: object) -> bool:
    newest = str(told.get("ApiVersion")) if isinstance(told, dict) else ""
    if re.fullmatch(r"\d+\.\d+", newest) is None:
        return False
    return not version_lt(newest, MINIMUM_DOCKER_API_VERSION)
