"""Whether .venv is what the locks say: decided by contents, not by times of files."""

import hashlib
import json
import os
import tomllib
from pathlib import Path

BUILD_LOCK, LOCK = "requirements-build.txt", "requirements-dev.txt"


def expected_stamp(root: Path, environment: Path) -> str:
    """Changes with the locks, with the project's own metadata, when the folder was moved and when
    the Python below it is another one or gone."""
    digest = hashlib.sha256()
    for lock in (BUILD_LOCK, LOCK):
        digest.update((root / lock).read_bytes())
    described = tomllib.loads((root / "pyproject.toml").read_text())
    parts = {
        "project": described.get("project"),
        "build": described.get("build-system"),
        "packages": described.get("tool", {}).get("setuptools"),
        "folder": str(environment),
        "python": os.path.realpath(environment / "bin" / "python"),
    }
    digest.update(json.dumps(parts, sort_keys=True).encode())
    return digest.hexdigest()


def is_up_to_date(root: Path, environment: Path, stamp: Path) -> bool:
    try:
        written = stamp.read_text()
    except (OSError, UnicodeDecodeError):
        return False
    return (environment / "bin" / "python").exists() and written == expected_stamp(
        root, environment
    )
