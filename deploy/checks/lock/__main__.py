import sys
import tomllib
from pathlib import Path

from deploy.checks.lock.lockfile import (
    Needs,
    disagreements,
    form_problems,
    installed_needs,
    lacking,
    own_requirements,
    read_lock,
    unasked,
)

ROOT = Path(__file__).parents[3]
LOCKS = ("requirements-dev.txt", "requirements.txt", "requirements-build.txt")
INSTALLER = "deploy/setup/uv.txt"


def problems_of(root: Path, needs: Needs) -> list[str]:
    described = tomllib.loads((root / "pyproject.toml").read_text())
    locks = [read_lock(name, (root / name).read_text()) for name in LOCKS]
    found = [*disagreements(locks)]
    for lock in locks:
        own = own_requirements(described, lock.name)
        found += [*form_problems(lock), *lacking(lock, own, needs), *unasked(lock, own, needs)]
    found += form_problems(read_lock(INSTALLER, (root / INSTALLER).read_text()))
    return found


def main(root: Path = ROOT) -> int:
    found = problems_of(root, installed_needs())
    if found:
        print("\n".join([*found, "pyproject.toml and the locks differ: run `make lock`"]))
        return 1
    print(f"{len(LOCKS)} locks match pyproject.toml and the locked packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
