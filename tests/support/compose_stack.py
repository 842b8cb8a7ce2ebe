"""The Compose stack without containers: its commands, options and settings, run on this machine.

Everything is taken from deploy/compose.yaml and the Dockerfile; only addresses and folders are
replaced. The environment is made from the same hashed file as the image's.
"""

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pymongo
from pymongo.errors import PyMongoError

from deploy.checks.compose.project import Project, read_project
from deploy.containers.first_start import ROOT, Site, write_secrets
from deploy.local import plans
from deploy.local.plans import LOOPBACK, SERVICES, free_port
from shared.clock import utc_now
from tests.support.guardian import MARK
from tests.support.waiting import eventually

READY_SECONDS = 60.0
COMMAND_SECONDS = 120.0
INSTALL_SECONDS = 900


def image_environment(project: Project) -> Path:
    """A virtual environment as the Dockerfile makes it; kept until its locks change."""
    locks = [project.root / name for name in ("requirements-build.txt", "requirements.txt")]
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:16]
    place = project.root / "build" / f"image-environment-{digest}"
    environment, made = place / "opt" / "teddy", place / "made"
    if not made.exists():
        shutil.rmtree(place, ignore_errors=True)
        (place / "build").mkdir(parents=True)
        for lock in locks:
            shutil.copy(lock, place / "build")
        for command in _installing(project):
            moved = re.sub(r"(?<= )/(opt|build)/", rf"{place}/\1/", f" {command}")
            moved = moved.replace(" python -m venv", f" {sys.executable} -m venv")
            subprocess.run(["/bin/sh", "-ec", moved], check=True, timeout=INSTALL_SECONDS)
        made.touch()
    return environment


def _installing(project: Project) -> list[str]:
    """The Dockerfile's commands that make the environment, each on one line."""
    lines = re.sub(r" \\\n\s*", " ", project.dockerfile).splitlines()
    return [line.removeprefix("RUN ") for line in lines if line.startswith("RUN python -m venv ")]


def image_sources(project: Project, folder: Path) -> Path:
    """What the Dockerfile copies to /app, and nothing else."""
    app = folder / "app"
    for line in project.dockerfile.splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and words[-1].startswith("/app/"):
            target = app / words[-1].removeprefix("/app/")
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(project.root / words[1], target, ignore=ignored)
    return app


@dataclass
class ComposeStack:
    """One stack below `folder`; `secrets` has a folder for each volume of the job `secrets`."""

    folder: Path
    project: Project = field(default_factory=read_project)
    python: Path = Path(sys.executable)
    app: Path | None = None
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("mongo", *SERVICES):
            self.ports[name] = free_port(None, taken=list(self.ports.values()))

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def mongo_address(self) -> str:
        return f"{LOOPBACK}:{self.ports['mongo']}"

    def first_start(self) -> None:
        site = Site(mongo=self.mongo_address, secrets=str(self.secrets / "mongo"))
        write_secrets(self.secrets, site, utc_now())

    def root_url(self) -> str:
        return (self.secrets / "mongo-setup" / "root_url").read_text()

    def environment(self, service: str, **more: str) -> dict[str, str]:
        """Of a service of compose.yaml; what docker compose would fill in has its default."""
        places = {target: source for source, target in self._mounts(service)}
        found = {}
        for name, value in self.project.services[service].get("environment", {}).items():
            if value is None:  # filled in from where docker compose runs, if at all
                continue
            text = str(value)
            if text.startswith("${"):
                text = text.removesuffix("}").partition(":-")[2]
            for target, source in places.items():
                text = text.replace(target, str(self.secrets / source))
            found[name] = text
        found |= {f"TEDDY_{name.upper()}_PORT": str(self.ports[name]) for name in SERVICES}
        found |= {name: LOOPBACK for name, value in found.items() if value == "0.0.0.0"}
        return {**found, **more}

    def process_environment(self, service: str, more: Mapping[str, str]) -> dict[str, str]:
        """No variable of this machine's but its path: as bare as in the image."""
        bare = {"PATH": f"{self.python.parent}:{os.environ['PATH']}", "HOME": str(self.folder)}
        if MARK in os.environ:
            bare[MARK] = os.environ[MARK]
        if self.app is not None:
            bare["PYTHONPATH"] = str(self.app)
        return {**bare, **self.environment(service), **more}

    async def run(self, service: str, *command: str, more: Mapping[str, str]) -> tuple[int, str]:
        """A command inside a container of `service`. Exit code and output."""
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.app or self.project.root,
            env={**self.process_environment(service, more), "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(COMMAND_SECONDS):
            output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    def mongod_command(self) -> list[str]:
        """As compose.yaml starts it, on loopback, with its data in `folder`."""
        data = self.folder / "mongo-data"
        data.mkdir(exist_ok=True)
        options = [
            option.replace("/run/mongo", str(self.secrets / "mongo"))
            for option in self.project.services["mongo"]["command"]
            if option != "--bind_ip_all"
        ]
        place = ("--dbpath", str(data), "--port", str(self.ports["mongo"]), "--nounixsocket")
        return [str(plans.mongod()), *options, *place, "--bind_ip", LOOPBACK]

    def prepare_mongod_command(self) -> list[str]:
        """As the image's entry point prepares new data: nobody is asked who they are."""
        command = self.mongod_command()
        for option in ("--keyFile", "--tlsMode", "--tlsCertificateKeyFile", "--tlsCAFile"):
            position = command.index(option)
            del command[position : position + 2]
        command.remove("--replSet=rs0")
        command.remove("--tlsAllowConnectionsWithoutCertificates")
        return command

    def _mounts(self, service: str) -> list[tuple[str, str]]:
        mounts = self.project.services[service].get("volumes", [])
        pairs = [(mount.split(":")[0], mount.split(":")[1]) for mount in mounts]
        return [(source.removesuffix("-secrets"), target) for source, target in pairs]


@asynccontextmanager
async def running(
    command: list[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process as long as the block; what it writes goes to `log`."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, env=environment, cwd=folder
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def secured_mongod(stack: ComposeStack) -> AsyncIterator[None]:
    """MongoDB as in the stack: with TLS, a key file and its first user, made as the image does."""
    log = stack.folder / "mongod.log"
    password = (stack.secrets / "mongo" / "root-password").read_text()
    async with running(stack.prepare_mongod_command(), log):
        client = pymongo.MongoClient[dict[str, object]](f"mongodb://{stack.mongo_address}/")
        with client:
            role = {"role": "root", "db": "admin"}
            client.admin.command("createUser", ROOT, pwd=password, roles=[role])
    async with running(stack.mongod_command(), log):
        await eventually(lambda: asyncio.to_thread(_answers, stack), READY_SECONDS)
        yield


def _answers(stack: ComposeStack) -> bool:
    """The question of the stack's own health check, asked without a user."""
    ca = stack.secrets / "mongo" / "ca.pem"
    url = f"mongodb://{stack.mongo_address}/?directConnection=true&tls=true&tlsCAFile={ca}"
    with pymongo.MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=1_000) as client:
        try:
            return bool(client.admin.command("ping")["ok"])
        except PyMongoError:
            return False
