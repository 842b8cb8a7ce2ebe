"""Requirements on the stack as a whole: order, health, access, limits, data."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import orjson

from deploy.checks.compose.project import (
    APIS,
    JOBS,
    SERVERS,
    Project,
    dependencies,
    image_of,
    mounts,
    seconds,
)
from deploy.containers.accounts import TOOLS
from deploy.local.plans import SERVICES
from projection_worker.__main__ import STOP_SECONDS as WORKER_STOPS
from shared.http.serving import FINISH_SECONDS

HEALTHY, COMPLETED = "service_healthy", "service_completed_successfully"
CLOSING_SECONDS = 2.0
"""For the stores, after the last answer."""

ORDER = {
    "mongo": {"secrets": COMPLETED},
    "kafka": {"secrets": COMPLETED},
    "mongo-setup": {"mongo": HEALTHY},
    "topics": {"kafka": HEALTHY},
    "command": {"mongo-setup": COMPLETED},
    "relay": {"mongo-setup": COMPLETED, "topics": COMPLETED},
    "worker": {"mongo-setup": COMPLETED, "topics": COMPLETED},
    "query": {"mongo-setup": COMPLETED, "topics": COMPLETED},
    "proxy": {"command": HEALTHY, "query": HEALTHY},
    TOOLS: {"mongo-setup": COMPLETED, "topics": COMPLETED},
}
OUTSIDE = {"worker": {"receivers"}}
"""Who reaches the world outside, by which network: receivers of alerts are there."""
SCALED = ("command", "worker", "query", "relay")
CREDENTIALS = re.compile(r"://[^/\s]*:[^/\s]*@|BEGIN [A-Z ]*PRIVATE KEY")
SECRET_NAME = re.compile(r"(PASSWORD|SECRET|_TOKEN|_MONGO_URL)$")


def of_the_schema(project: Project) -> Iterator[str]:
    """The schema of the Compose specification comes with check-jsonschema."""
    spec = importlib.util.find_spec("check_jsonschema")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = jsonschema.validators.validator_for(schema := orjson.loads(path.read_bytes()))
    for error in validator(schema).iter_errors(project.compose):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:120]}"


def all_services(project: Project) -> Iterator[str]:
    expected = {*SERVERS, *JOBS, *SERVICES, "proxy", "redis", "cache", TOOLS}
    if set(project.services) != expected:
        yield f"services differ: {', '.join(sorted(expected ^ set(project.services)))}"
    for name, module in SERVICES.items():
        if project.service(name).get("command") != [module]:
            yield f"{name} does not start {module}"
    for name in ("redis", "cache", TOOLS):
        if project.service(name).get("profiles") != [name]:
            yield f"{name} is not in a profile of its own"


def named_versions(project: Project) -> Iterator[str]:
    own = {name for name, _ in project.of_the_image()}
    for name, service in project.services.items():
        tag = image_of(service)[0].partition(":")[2]
        if name not in own and not re.fullmatch(r"\d+\.\d+\.\d+(-alpine)?", tag):
            yield f"{name}: {service.get('image')} has no fixed version"
    if not project.service("kafka").get("image", "").startswith("apache/kafka:"):
        yield "kafka is not Apache Kafka"


def pinned_when_set(project: Project) -> Iterator[str]:
    own = {name for name, _ in project.of_the_image()}
    pins = {n: image_of(s)[1] for n, s in project.services.items() if n not in own}
    lines = [line for line in project.digests.splitlines() if not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines if "=" in line)
    for name, pin in pins.items():
        if pin not in given:
            yield f"{name}: images.env has no digest for its image"
    stages = re.findall(r"^FROM (\S+)", project.dockerfile, re.MULTILINE)
    builds = [service.get("build", {}).get("args", {}) for _, service in project.of_the_image()]
    if not all(stage.endswith("${PYTHON_DIGEST}") for stage in stages):
        yield "a stage of the Dockerfile takes no PYTHON_DIGEST"
    if any(args.get("PYTHON_DIGEST") != "${PYTHON_DIGEST:-}" for args in builds):
        yield "the build gets no PYTHON_DIGEST"
    for name in given.keys() ^ {*pins.values(), "PYTHON_DIGEST"}:
        yield f"{name} is not used to pin an image, or is missing in images.env"
    for name, digest in given.items():
        if digest and not re.fullmatch(r"@sha256:[0-9a-f]{64}", digest):
            yield f"{name} is not a digest: leave it empty, or write @sha256: and 64 hex digits"


def start_order(project: Project) -> Iterator[str]:
    for name, expected in ORDER.items():
        if dependencies(project.service(name)) != expected:
            yield f"{name} waits for {dependencies(project.service(name))}, expected {expected}"


def health(project: Project) -> Iterator[str]:
    """Each of the four processes is asked itself."""
    for name, service in project.lasting():
        check = service.get("healthcheck", {})
        if not check.get("test") or check.get("disable"):
            yield f"{name} has no health check"
        elif name in SERVICES and check["test"] != [
            *("CMD", "python", "-m", "deploy.containers.health", name)
        ]:
            yield f"{name} has no health check of its own"
        elif not {"interval", "timeout", "retries", "start_period"} <= set(check):
            yield f"{name}: interval, timeout, retries and start_period must be set"


def published(project: Project) -> Iterator[str]:
    for name, service in project.services.items():
        ports = service.get("ports", [])
        if ports and name != "proxy":
            yield f"{name} publishes {ports}"
        if service.get("network_mode") == "host":
            yield f"{name} is on the network of the host"
    ports = project.service("proxy").get("ports", [])
    for port in ports:
        if not str(port).startswith("127.0.0.1:"):
            yield f"{port} is not on loopback only"
    if sorted(str(port).rpartition(":")[2] for port in ports) != ["8001", "8004"]:
        yield "published ports other than those of the two APIs"


def networks(project: Project) -> Iterator[str]:
    internal = {
        name
        for name, network in project.compose.get("networks", {}).items()
        if (network or {}).get("internal")
    }
    for name, service in project.services.items():
        if name == "proxy" or service.get("network_mode") == "none":
            continue
        outside = set(service.get("networks", ["default"])) - internal - OUTSIDE.get(name, set())
        if outside:
            yield f"{name} reaches {', '.join(sorted(outside))}, which is not internal"


def limits(project: Project) -> Iterator[str]:
    for name, service in project.services.items():
        found = service.get("deploy", {}).get("resources", {}).get("limits", {})
        missing = {"cpus", "memory", "pids"} - set(found)
        if missing:
            yield f"{name} has no limit of {', '.join(sorted(missing))}"


def restarts(project: Project) -> Iterator[str]:
    for name, service in project.services.items():
        expected = "no" if name in (*JOBS, TOOLS) else "unless-stopped"
        if service.get("restart") != expected:
            yield f"{name}: restart is {service.get('restart')!r}, expected {expected!r}"


def grace(project: Project) -> Iterator[str]:
    drain = FINISH_SECONDS + WORKER_STOPS + CLOSING_SECONDS
    for name in (*SERVICES, "proxy"):
        given = seconds(project.service(name).get("stop_grace_period", "10s"))
        if given <= drain:
            yield f"{name} is killed after {given:g} s, and may need {drain:g} s"


def volumes(project: Project) -> Iterator[str]:
    declared = set(project.compose.get("volumes", {}))
    for name, service in project.services.items():
        for source, *_ in mounts(service):
            if source not in declared:
                yield f"{name} mounts {source}, which is no named volume"
    for name, place in (("mongo", "/data/db"), ("kafka", "/var/lib/kafka/data")):
        if place not in [mount[1] for mount in mounts(project.service(name))]:
            yield f"{name} keeps {place} in no volume"


def no_secrets(project: Project) -> Iterator[str]:
    for name, service in project.services.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET_NAME.search(variable) or CREDENTIALS.search(str(value)):
                yield f"{name}: {variable} stands in the file"
    text = f"{project.compose} {project.dockerfile} {project.caddyfile}"
    if CREDENTIALS.search(text):
        yield "a private key or an address with a password is in a file"


def own_secrets_only(project: Project) -> Iterator[str]:
    """Each mounts its own, read-only; only the job that makes them mounts all."""
    for name, service in project.services.items():
        for source, target, *options in mounts(service):
            if name == "secrets" or not source.endswith("-secrets"):
                continue
            # the job that makes the topics is one of the tools
            reader = {"topics": TOOLS}.get(name, name)
            if source != f"{reader}-secrets" or options != ["ro"]:
                yield f"{name} mounts {source} at {target} {options}"
    made = {source for source, *_ in mounts(project.service("secrets"))}
    used = {
        source
        for name, service in project.services.items()
        for source, target, *_ in mounts(service)
        if target not in ("/data/db", "/var/lib/kafka/data")
    }
    if used - made:
        yield f"no job creates {', '.join(sorted(used - made))}"


def scalable(project: Project) -> Iterator[str]:
    for name in SCALED:
        service = project.service(name)
        for key in ("ports", "container_name", "hostname"):
            if key in service:
                yield f"{name} has {key}: two containers would collide"
        if "TEDDY_WORKER_INSTANCE_ID" in service.get("environment", {}):
            yield f"{name}: all containers would have the same name in their consumer group"
    for name in APIS:
        if f"import containers {{${name.upper()}_NAME:{name}}}" not in project.caddyfile:
            yield f"the proxy does not resolve all containers of {name}"
    if "dynamic a {" not in project.caddyfile:
        yield "the proxy resolves the containers only once"
