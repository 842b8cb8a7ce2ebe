"""Which Kafka broker a local stack runs: Apache Kafka, else the light one."""

import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deploy.local.apache_kafka.installation import Installation, JavaMissing, installation
from deploy.local.apache_kafka.jars import JarsMissing, WrongJar
from deploy.local.apache_kafka.node import (
    DATA,
    Node,
    NodeFolder,
    format_command,
    new_cluster_id,
    run_command,
)
from deploy.local.plans import ServerMissing
from deploy.local.process import NotReady, ProcessPlan, run_tool
from deploy.local.readiness import kafka_answers
from deploy.local.settings import LocalStackSettings
from deploy.local.state import StackFolder

FORMAT_SECONDS = 60.0
REQUIREMENT = Path(__file__).with_name("light-broker.txt")
VERSION = REQUIREMENT.read_text().partition("==")[2].split()[0]
INSTALL_SECONDS = 120.0
ELSE = "set TEDDY_KAFKA_BOOTSTRAP to a Kafka of your own"

Restarted = Callable[[], Awaitable[object]]


class LocalBroker(Protocol):
    """`name`: for people, with what made it the choice. `settings`: what its clients must know."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, str]: ...

    def plan(self, folder: StackFolder, node: Node, restarted: Restarted) -> ProcessPlan: ...


@dataclass(frozen=True, slots=True)
class ApacheKafka:
    installation: Installation
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.installation.name

    def plan(self, folder: StackFolder, node: Node, restarted: Restarted) -> ProcessPlan:
        data = NodeFolder(data_of(folder))
        return ProcessPlan(
            name="kafka",
            command=run_command(self.installation),
            address=node.address,
            log=folder.logs / "kafka.log",
            ready=lambda: kafka_answers(node.address),
            prepare=lambda: self._prepare(data, node),
            restarted=restarted,
            cwd=data.path,
            grace_seconds=30.0,
        )

    async def _prepare(self, folder: NodeFolder, node: Node) -> None:
        folder.write_properties(node, [node])
        if folder.is_formatted:
            return
        shutil.rmtree(folder.path / DATA, ignore_errors=True)
        command = format_command(self.installation, new_cluster_id())
        ended = await run_tool(command, FORMAT_SECONDS, folder.path)
        if ended.code:
            raise NotReady(f"Apache Kafka's storage could not be formatted: {ended.said}")


@dataclass(frozen=True, slots=True)
class LightBroker:
    """Development only: killed hard, it may lose what it acknowledged."""

    program: Path
    reason: str
    settings: Mapping[str, str] = field(
        default_factory=lambda: {"TEDDY_KAFKA_LONG_POLLING": "false"}
    )

    @property
    def name(self) -> str:
        return f"the light broker noida-db {VERSION} ({self.reason})"

    def plan(self, folder: StackFolder, node: Node, restarted: Restarted) -> ProcessPlan:
        data = data_of(folder) / "light"
        data.mkdir(parents=True, exist_ok=True)
        options = ("--only", "kafka", "--kafka-port", str(node.port), "--data-dir", str(data))
        return ProcessPlan(
            name="kafka",
            # the binary itself: the script on the PATH wraps it, and would not pass on every signal
            command=(str(self.program), "start", *options),
            address=node.address,
            log=folder.logs / "kafka.log",
            ready=lambda: kafka_answers(node.address),
            restarted=restarted,
        )


def data_of(folder: StackFolder) -> Path:
    """Where the broker of a stack keeps everything."""
    return folder.data / "kafka"


async def choose_broker(
    settings: LocalStackSettings, progress: Callable[[str], None]
) -> LocalBroker:
    """The broker to start, downloaded if missing. `progress` is called with what takes long.

    Raises ServerMissing when the one that is set, or any, is not available.
    """
    if settings.local_broker == "light":
        return await _light("as set by TEDDY_LOCAL_BROKER", progress)
    try:
        return ApacheKafka(await installation(settings, progress))
    except WrongJar as wrong:
        raise ServerMissing(f"Apache Kafka is not started: {wrong}") from wrong
    except (JarsMissing, JavaMissing) as missing:
        if settings.local_broker == "apache":
            raise ServerMissing(
                f"Apache Kafka is not available: {missing}. Or {ELSE}."
            ) from missing
        return await _light(f"Apache Kafka is not available: {missing}", progress)


async def _light(reason: str, progress: Callable[[str], None]) -> LightBroker:
    return LightBroker(await install_light_broker(progress), reason)


def installed_at() -> Path:
    return Path(sys.prefix) / "light-broker" / VERSION


async def install_light_broker(progress: Callable[[str], None]) -> Path:
    """Its binary; raises ServerMissing when it cannot be installed.

    It is not in the environment: it is installed when it is needed, from a hashed requirement.
    """
    folder = installed_at()
    program = folder / "noida_db" / "noida-db"
    if program.exists():
        return program
    progress(f"installing the light broker noida-db {VERSION} ...")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    what = ("--require-hashes", "--no-deps", "--target", str(folder), "-r", str(REQUIREMENT))
    try:
        ended = await run_tool((*pip, *what), INSTALL_SECONDS)
    except TimeoutError:
        raise ServerMissing(
            f"pip did not install noida-db within {INSTALL_SECONDS:.0f} s"
        ) from None
    if ended.code or not program.exists():
        raise ServerMissing(
            f"The light broker noida-db cannot be installed: {ended.said}. Set "
            "TEDDY_KAFKA_BOOTSTRAP to a Kafka of your own."
        )
    return program
