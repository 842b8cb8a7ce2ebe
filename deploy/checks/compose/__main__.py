"""`python -m deploy.checks.compose`: the requirements on the Compose stack as a table.

Exit code 1 when one is not kept.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import click

from deploy.checks.compose import container_requirements as container
from deploy.checks.compose import stack_requirements as stack
from deploy.checks.compose.project import Project, read_project
from shared.command_line import Table


@dataclass(frozen=True, slots=True)
class Requirement:
    """`problems`: where a project does not keep it; none when it does."""

    text: str
    how: str
    problems: Callable[[Project], Iterable[str]]


REQUIREMENTS = (
    Requirement("A valid Compose file", "schema of the Compose specification", stack.of_the_schema),
    Requirement(
        "Kafka, MongoDB, four processes, three jobs, proxy", "services", stack.all_services
    ),
    Requirement("Servers of named versions, Apache Kafka", "image tags", stack.named_versions),
    Requirement("Every image by its digest, once it is set", "images.env", stack.pinned_when_set),
    Requirement("Start order by health and completion", "depends_on", stack.start_order),
    Requirement("Each process has its own health check", "healthcheck", stack.health),
    Requirement("Only the two APIs are published, on loopback", "ports", stack.published),
    Requirement("Other containers have no outside network", "internal networks", stack.networks),
    Requirement("TLS and authentication on Kafka and MongoDB", "options", container.authentication),
    Requirement("No secret in any file", "environment, texts", stack.no_secrets),
    Requirement("Each container reads only its own secrets", "mounts", stack.own_secrets_only),
    Requirement("Limits of processor, memory and processes", "deploy.resources", stack.limits),
    Requirement("Data in named volumes", "mounts", stack.volumes),
    Requirement("Processes restart, jobs do not", "restart", stack.restarts),
    Requirement("The stop grace period exceeds the drain time", "seconds in the code", stack.grace),
    Requirement("command, relay, worker and query scale", "ports, names, proxy", stack.scalable),
    Requirement("The proxy's configuration is valid", "caddy validate", container.proxy_accepts),
    Requirement("No root, no capabilities, read-only", "user, caps, read_only", container.confined),
    Requirement(
        "Every variable is used, none is missing", "settings.py of each process", container.settings
    ),
    Requirement("One image in stages, on a slim Python", "FROM, image, build", container.one_image),
    Requirement(
        "Hashed wheels, labels, numeric user, no servers", "Dockerfile", container.image_rules
    ),
    Requirement("The Dockerfile is clean", "hadolint", container.linted),
    Requirement("All named modules and files exist", "modules, files", container.everything_exists),
)


def main(project: Project) -> int:
    table = Table("requirement", "checked by", "holds", title="deploy/compose.yaml")
    broken: list[str] = []
    for requirement in REQUIREMENTS:
        problems = list(requirement.problems(project))
        table.add(requirement.text, requirement.how, "no" if problems else "yes")
        broken += [f"{requirement.text}: {problem}" for problem in problems]
    table.print()
    for line in broken:
        click.secho(line, fg="red")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(read_project()))
