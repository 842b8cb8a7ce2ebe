"""What the locks lack of what is asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import distributions
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from deploy.checks.lock.lockfile import SUPPORTED, Entry, Environment, Lock, applies

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


def unasked(lock: Lock, own: Sequence[Requirement], needs: Needs) -> Iterator[str]:
    """Entries that nobody asks for any more, on no machine at all."""
    asked = {canonicalize_name(requirement.name) for requirement in own}
    for entry in lock.entries:
        asked |= {canonicalize_name(need.name) for need in needs.get(entry.name, ())}
    for name in sorted({entry.name for entry in lock.entries} - asked):
        yield f"{lock.name}: nobody asks for {name}"


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
    """The problem as a key, so that each is told once."""
    entry = lock.of(requirement.name, environment)
    if entry is None:
        return {f"{lock.name}: lacks {requirement.name}, which {who} asks for": None}
    if not requirement.specifier.contains(entry.version, prereleases=True):
        wanted = f"{requirement.name}{requirement.specifier}"
        return {f"{lock.name}: has {entry.name} {entry.version}, {who} asks for {wanted}": None}
    if missing := {canonicalize_name(extra) for extra in requirement.extras} - entry.extras:
        extras = ",".join(sorted(missing))
        return {f"{lock.name}: {entry.name} lacks [{extras}], which {who} asks for": None}
    return {}
