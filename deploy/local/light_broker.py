"""The light broker: a small binary that speaks Kafka's protocol, where Apache Kafka cannot be had.

It is not in the environment. It is installed when it is needed, from a hashed requirement.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local.binaries import ServerMissing
from deploy.local.tool import run_tool

REQUIREMENT = Path(__file__).with_name("light-broker.txt")
VERSION = REQUIREMENT.read_text().partition("==")[2].split()[0]
INSTALL_SECONDS = 120.0


def installed_at() -> Path:
    return Path(sys.prefix) / "light-broker" / VERSION


async def install_light_broker(progress: Callable[[str], None]) -> Path:
    """Its binary; raises ServerMissing when it cannot be installed."""
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
        raise ServerMissing(f"pip did not bring noida-db within {INSTALL_SECONDS:.0f} s") from None
    if ended.code or not program.exists():
        raise ServerMissing(
            f"The light broker noida-db cannot be installed: {ended.said}. Set "
            "TEDDY_KAFKA_BOOTSTRAP to a Kafka of your own."
        )
    return program


def light_command(program: Path, port: int, data: Path) -> tuple[str, ...]:
    # The binary itself: the script on the PATH wraps it, and would not pass on every signal.
    options = ("--only", "kafka", "--kafka-port", str(port), "--data-dir", str(data))
    return (str(program), "start", *options)
