"""Where MongoDB's server is: in a wheel, on the PATH, or named by a setting."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

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
    found = "; ".join(problems) or "no mongod was found"
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
