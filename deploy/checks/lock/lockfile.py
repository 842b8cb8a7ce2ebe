"""A hashed requirements file as `make lock` writes it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

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
        """What is installed of `name` there."""
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
        yield f"{lock.name}: names an index; whoever installs says which"
