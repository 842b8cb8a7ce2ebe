"""`python -m tests.pythons [--one] [INTERPRETER ...]`: the locks and the unit tests on every
supported Python but the one of .venv; `--one`: on one of them, the next one with each commit.
Interpreters are looked for on the PATH and in pyenv."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.faults.slices import turn_of

ROOT = Path(__file__).parents[1]
ONE = "--one"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def candidates(path: str, pyenv: Path) -> list[str]:
    """What may be a supported Python: of each name on the PATH the first, then pyenv's, newest
    first."""
    named = [shutil.which(f"python{version}", path=path) for version in SUPPORTED]
    of_pyenv = [str(python) for python in pyenv.glob("versions/3.*/bin/python")]
    return [name for name in named if name] + sorted(of_pyenv, key=_numbers, reverse=True)


def found(interpreters: Iterable[str]) -> Mapping[str, str]:
    """The first interpreter of each supported version that runs and can make environments."""
    code = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"
    first: dict[str, str] = {}
    for interpreter in interpreters:
        command = [interpreter, "-I", "-c", code]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        version = asked.stdout.strip()
        if asked.returncode == 0 and version in SUPPORTED:
            first.setdefault(version, interpreter)
    return first


def tested(version: str, interpreter: str) -> bool:
    """Whether the locks can be installed there and the unit tests pass."""
    environment = f"build/python-{version}"
    print(f"== Python {version}: {interpreter}", flush=True)
    making = [interpreter, "-m", "deploy.setup", str(ROOT), environment]
    python = f"{environment}/bin/python"
    testing = [python, "-m", "pytest", "--no-cov", "--quiet", "-n", "auto", "tests/unit"]
    return all(
        subprocess.run(command, cwd=ROOT, check=False).returncode == 0
        for command in (making, testing)
    )


def main(given: Sequence[str]) -> int:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    named = [one for one in given if one != ONE]
    interpreters = found(named or candidates(os.environ.get("PATH", ""), pyenv))
    others = sorted(version for version in interpreters if version != THIS)
    due = [others[turn_of().number % len(others)]] if others and ONE in given else others
    results = {version: tested(version, interpreters[version]) for version in due}
    for version in SUPPORTED:
        said = "passed" if results.get(version) else "FAILED"
        if version in others and version not in due:
            said = "the turn of another commit"
        elif version not in results:
            said = "the one of .venv" if version == THIS else "not found on this machine"
        print(f"Python {version}: {said}")
    return 0 if all(results.values()) else 1


def _numbers(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.partition("versions/")[2])]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
