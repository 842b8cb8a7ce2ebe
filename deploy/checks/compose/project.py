"""The files that describe the Compose stack, read but not run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from deploy.containers.accounts import ACCOUNTS, TOOLS
from deploy.local.plans import SERVICES

ROOT = Path(__file__).parents[3]
COMPOSE = Path("deploy/compose.yaml")
DOCKERFILE = Path("deploy/docker/Dockerfile")
CADDYFILE = Path("deploy/docker/Caddyfile")
DIGESTS = Path("deploy/images.env")

SERVERS = ("mongo", "kafka")
JOBS = ("secrets", "mongo-setup", "topics")
APIS = ("command", "query")

Service = Mapping[str, Any]


@dataclass(frozen=True)
class Project:
    """`compose` with its merges done, the texts of the other files, and where they lie. `digests`:
    what images.env pins."""

    compose: dict[str, Any]
    dockerfile: str
    dockerignore: str
    caddyfile: str
    digests: str
    root: Path = ROOT

    @property
    def services(self) -> Mapping[str, Service]:
        services: Mapping[str, Service] = self.compose["services"]
        return services

    def service(self, name: str) -> Service:
        """An empty one where there is none, so that every requirement on it is seen to fail."""
        return self.services.get(name, {})

    def lasting(self) -> Iterator[tuple[str, Service]]:
        """Services that keep running: neither jobs nor tools."""
        return ((n, s) for n, s in self.services.items() if n not in (*JOBS, TOOLS))

    def of_the_image(self) -> Iterator[tuple[str, Service]]:
        """Services that are started from the image of this repository."""
        return ((n, s) for n, s in self.services.items() if n in (*SERVICES, *JOBS, TOOLS))


def read_project(root: Path = ROOT) -> Project:
    """Raises OSError, or ruamel's YAMLError for a file that is no YAML."""
    return Project(
        compose=YAML(typ="safe").load((root / COMPOSE).read_text()),
        dockerfile=(root / DOCKERFILE).read_text(),
        dockerignore=(root / ".dockerignore").read_text(),
        caddyfile=(root / CADDYFILE).read_text(),
        digests=(root / DIGESTS).read_text(),
        root=root,
    )


def image_of(service: Service) -> tuple[str, str]:
    """Name and tag, and the variable that may pin them; empty where there is none."""
    image, _, pin = str(service.get("image", "")).partition("${")
    return image, pin.removesuffix(":-}")


def dependencies(service: Service) -> Mapping[str, str]:
    """What the service waits for, and for which condition."""
    waits = service.get("depends_on", {})
    return {name: wait["condition"] for name, wait in waits.items()}


def mounts(service: Service) -> list[list[str]]:
    """`source:target[:options]`, split."""
    return [volume.split(":") for volume in service.get("volumes", [])]


def seconds(duration: str) -> float:
    """`20s`, `1m` or `1m30s` in seconds."""
    minutes, _, rest = duration.rpartition("m")
    return 60 * float(minutes or 0) + float(rest.rstrip("s") or 0)


SECRET_FILES: Mapping[str, frozenset[str]] = {
    account.name: frozenset(
        [f"TEDDY_{store.upper()}_MONGO_URL" for store in account.stores]
        + (["TEDDY_KAFKA_PASSWORD"] if account.kafka else [])
    )
    for account in ACCOUNTS
}
"""The settings that `deploy.containers.first_start` writes for each process."""
