"""`python -m deploy.checks.lock`: the locks hold all that pyproject.toml and the locked packages
ask for, on every supported Python and machine, with the extras and with hashes."""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements-dev.txt", "requirements.txt", "requirements-build.txt")
INSTALLER = "deploy/setup/uv.txt"

Environment = Mapping[str, str]

HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?=\s|$)")
PIN = re.compile(r"==[^,*]+")
ADDRESS = re.compile(r"://|^-(-index-url|-extra-index-url|-find-links|-trusted-host|[if])\b", re.M)

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "x86_64"), ("darwin", "arm64"))
SUPPORTED: Sequence[Environment] = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "platform_python_implementation": "CPython",
        "sys_platform": system,
        "platform_system": system.capitalize(),
        "platform_machine": machine,
        "platform_release": "",
        "platform_version": "",
        "os_name": "posix",
    }
    for python in PYTHONS
    for system, machine in MACHINES
]


@dataclass(frozen=True)
class Entry:
    requirement: Requirement
    hashes: int

    @property
    def name(self) -> NormalizedName:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        return str(self.requirement.specifier).removeprefix("==")

    @property
    def extras(self) -> frozenset[str]:
        return frozenset(canonicalize_name(extra) for extra in self.requirement.extras)


@dataclass(frozen=True)
class Lock:
    name: str
    text: str
    entries: Sequence[Entry]

    def of(self, name: str, environment: Environment) -> Entry | None:
        """The entry of `name` that applies in `environment`."""
        wanted = canonicalize_name(name)
        of_the_name = (entry for entry in self.entries if entry.name == wanted)
        return next((e for e in of_the_name if applies(e.requirement, environment)), None)


def read_lock(name: str, text: str) -> Lock:
    """Raises packaging's InvalidRequirement where a line is none."""
    logical = re.sub(r"\\\n", " ", text).splitlines()
    lines = [line for line in logical if line.strip() and not line.lstrip().startswith(("#", "-"))]
    entries = [
        Entry(Requirement(line.partition(" --hash=")[0].strip()), len(HASH.findall(line)))
        for line in lines
    ]
    return Lock(name, text, entries)


def applies(requirement: Requirement, environment: Environment, extra: str = "") -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({**environment, "extra": extra})


def form_problems(lock: Lock) -> Iterator[str]:
    """Entries that are no pin or have no hash, and addresses of indexes."""
    for entry in lock.entries:
        if not PIN.fullmatch(str(entry.requirement.specifier)):
            yield f"{lock.name}: {entry.requirement.name} is not pinned to one version"
        if not entry.hashes:
            yield f"{lock.name}: {entry.requirement.name} has no hash"
    if ADDRESS.search(lock.text):
        yield f"{lock.name}: names a package index; remove it"


Needs = Mapping[NormalizedName, Sequence[Requirement]]
"""What each package asks for, its extras in markers."""


def installed_needs() -> Needs:
    """Of what is installed beside the program that runs this: in .venv, all that is locked for
    this Python and machine."""
    return {
        canonicalize_name(found.metadata["Name"]): [Requirement(r) for r in found.requires or ()]
        for found in distributions()
    }


def own_requirements(described: Mapping[str, Any], lock: str) -> list[Requirement]:
    """What pyproject.toml says is in `lock`."""
    project = described["project"]
    if lock == "requirements-build.txt":
        return [Requirement(line) for line in described["dependency-groups"]["build"]]
    lines: list[str] = list(project["dependencies"])
    if lock == "requirements-dev.txt":
        lines += _with_own_extras(project, "dev")
    return [Requirement(line) for line in lines]


def lacking(lock: Lock, own: Sequence[Requirement], needs: Needs) -> Iterator[str]:
    """What `own` or a locked package asks for on a supported machine, and the lock has not."""
    found: dict[str, None] = {}
    for environment in SUPPORTED:
        for requirement in own:
            if applies(requirement, environment):
                found |= _unmet(lock, "pyproject.toml", requirement, environment)
        for entry in lock.entries:
            if applies(entry.requirement, environment):
                for requirement in _asked_by(entry, needs, environment):
                    found |= _unmet(lock, entry.name, requirement, environment)
    yield from found


def unneeded(lock: Lock, own: Sequence[Requirement], needs: Needs) -> Iterator[str]:
    """Entries that nothing requires any more, on any machine."""
    asked = {canonicalize_name(requirement.name) for requirement in own}
    for entry in lock.entries:
        asked |= {canonicalize_name(need.name) for need in needs.get(entry.name, ())}
    for name in sorted({entry.name for entry in lock.entries} - asked):
        yield f"{lock.name}: nothing requires {name}"


def disagreements(locks: Iterable[Lock]) -> Iterator[str]:
    """Packages that are locked at different versions in two files."""
    seen: dict[tuple[NormalizedName, int], tuple[str, str]] = {}
    said = set()
    for lock in locks:
        for number, environment in enumerate(SUPPORTED):
            for entry in lock.entries:
                if not applies(entry.requirement, environment):
                    continue
                other, version = seen.setdefault((entry.name, number), (lock.name, entry.version))
                if version != entry.version:
                    said.add(
                        f"{entry.name} is {version} in {other}, {entry.version} in {lock.name}"
                    )
    yield from sorted(said)


def _with_own_extras(project: Mapping[str, Any], extra: str) -> Iterator[str]:
    """The lines of an extra; one that names the project itself stands for that extra's lines."""
    for line in project["optional-dependencies"][extra]:
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) == canonicalize_name(project["name"]):
            for other in sorted(requirement.extras):
                yield from _with_own_extras(project, other)
        else:
            yield line


def _asked_by(entry: Entry, needs: Needs, environment: Environment) -> Iterator[Requirement]:
    for requirement in needs.get(entry.name, ()):
        if any(applies(requirement, environment, extra) for extra in ("", *entry.extras)):
            yield requirement


def _unmet(
    lock: Lock, who: str, requirement: Requirement, environment: Environment
) -> dict[str, None]:
    """The problem as a key, so that each is reported once."""
    entry = lock.of(requirement.name, environment)
    if entry is None:
        return {f"{lock.name}: lacks {requirement.name}, which {who} requires": None}
    if not requirement.specifier.contains(entry.version, prereleases=True):
        wanted = f"{requirement.name}{requirement.specifier}"
        return {f"{lock.name}: has {entry.name} {entry.version}, {who} requires {wanted}": None}
    if missing := {canonicalize_name(extra) for extra in requirement.extras} - entry.extras:
        extras = ",".join(sorted(missing))
        return {f"{lock.name}: {entry.name} lacks [{extras}], which {who} requires": None}
    return {}


def problems_of(root: Path, needs: Needs) -> list[str]:
    described = tomllib.loads((root / "pyproject.toml").read_text())
    locks = [read_lock(name, (root / name).read_text()) for name in LOCKS]
    found = [*disagreements(locks)]
    for lock in locks:
        own = own_requirements(described, lock.name)
        found += [*form_problems(lock), *lacking(lock, own, needs), *unneeded(lock, own, needs)]
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
