"""Apache Kafka as it can be run here: a Java and the jars, downloaded where they are missing."""

import asyncio
import sys
from collections.abc import Callable

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
from deploy.local.apache_kafka.java import find_java
from deploy.local.apache_kafka.node import Installation
from deploy.local.process import run_tool
from deploy.local.settings import LocalStackSettings

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
        raise JarsMissing(f"its jars were not downloaded within {DOWNLOAD_SECONDS:.0f} s") from None
    if ended.code == WRONG:
        raise WrongJar(ended.said)
    if ended.code:
        raise JarsMissing(ended.said)
