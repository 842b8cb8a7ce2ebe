"""The promises of the Compose stack, in the order in which a reader would ask."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deploy.checks.compose import container_promises as container
from deploy.checks.compose import stack_promises as stack
from deploy.checks.compose.project import Project


@dataclass(frozen=True, slots=True)
class Promise:
    """`problems`: in how far a project does not keep it; none when it does."""

    text: str
    how: str
    problems: Callable[[Project], Iterable[str]]


PROMISES = (
    Promise("A valid Compose file", "schema of the Compose specification", stack.of_the_schema),
    Promise("Kafka, MongoDB, four processes, three jobs, proxy", "services", stack.all_services),
    Promise("Servers of named versions, Apache Kafka", "image tags", stack.named_versions),
    Promise("Every image by its digest, once it is set", "images.env", stack.pinned_when_set),
    Promise("Start order by health and completion", "depends_on", stack.start_order),
    Promise("Each process has its own health check", "healthcheck", stack.health),
    Promise("Only the two APIs are published, on loopback", "ports", stack.published),
    Promise("Other containers have no outside network", "internal networks", stack.networks),
    Promise("TLS and authentication on Kafka and MongoDB", "options", container.authentication),
    Promise("No secret in any file", "environment, texts", stack.no_secrets),
    Promise("Each container reads only its own secrets", "mounts", stack.own_secrets_only),
    Promise("Limits of processor, memory and processes", "deploy.resources", stack.limits),
    Promise("Data in named volumes", "mounts", stack.volumes),
    Promise("Processes restart, jobs do not", "restart", stack.restarts),
    Promise("The stop grace period exceeds the drain time", "seconds in the code", stack.grace),
    Promise("command, relay, worker and query scale", "ports, names, proxy", stack.scalable),
    Promise("The proxy's configuration is valid", "caddy validate", container.proxy_accepts),
    Promise("No root, no capabilities, read-only", "user, caps, read_only", container.confined),
    Promise(
        "Every variable is used, none is missing", "settings.py of each process", container.settings
    ),
    Promise("One image in stages, on a slim Python", "FROM, image, build", container.one_image),
    Promise("Hashed wheels, labels, numeric user, no servers", "Dockerfile", container.image_rules),
    Promise("The Dockerfile is clean", "hadolint", container.linted),
    Promise("All named modules and files exist", "modules, files", container.everything_exists),
)
