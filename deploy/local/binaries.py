"""Servers that are no Python: where MongoDB's is, and the light broker."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local.process import run_tool
from deploy.local.settings import LocalStackSettings


class ServerMissing(Exception):
    """A server cannot be started here; the message says what is missing and what else serves."""


def mongod() -> Path:
    """A mongod that runs here; raises ServerMissing."""
    problems = []
    for candidate in _mongod_candidates():
        problem = _problem_with(candidate)
        if problem is None:
            return candidate
        problems.append(f"{candidate.name}: {problem}")
    found = "; ".join(problems) or "mongod not found"
    raise ServerMissing(
        f"MongoDB cannot be started ({found}). Install libcurl 4 and OpenSSL 3, or put a mongod on "
        "the PATH or in TEDDY_MONGOD, or set TEDDY_WRITE_MONGO_URL, TEDDY_READ_MONGO_URL and "
        "TEDDY_KEYS_MONGO_URL to servers of your own."
    )


def _mongod_candidates() -> list[Path]:
    named = LocalStackSettings().mongod
    if named is not None:
        return [named]
    candidates = [place / "db" / "bin" / "mongod" for place in _package_folders("fiftyone")]
    on_path = shutil.which("mongod")
    if on_path:
        candidates.append(Path(on_path))
    return [candidate for candidate in candidates if candidate.exists()]


def _package_folders(package: str) -> list[Path]:
    """Where `package` is installed; it is not imported."""
    spec = importlib.util.find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []


def _problem_with(binary: Path) -> str | None:
    """Why `binary` does not run here, e.g. a missing library; None when it does."""
    try:
        run = subprocess.run(  # noqa: S603 - the binary that was found above
            [binary, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if run.returncode == 0:
        return None
    return (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[0]


REQUIREMENT = Path(__file__).with_name("light-broker.txt")
VERSION = REQUIREMENT.read_text().partition("==")[2].split()[0]
INSTALL_SECONDS = 120.0


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


def light_command(program: Path, port: int, data: Path) -> tuple[str, ...]:
    # The binary itself: the script on the PATH wraps it, and would not pass on every signal.
    options = ("--only", "kafka", "--kafka-port", str(port), "--data-dir", str(data))
    return (str(program), "start", *options)
