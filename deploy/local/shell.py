"""A local stack's settings in somebody's shell: `teddy env` marks what it prints, and whatever
starts a stack of its own sets aside what bears the mark.

The mark names the stack's folder and has a fingerprint of each value: what was set otherwise since
is the user's own.
"""

import hashlib
import shlex
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

STACK = "TEDDY_LOCAL_STACK"
SETTINGS = "TEDDY_LOCAL_STACK_SETTINGS"
FINGERPRINT_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Exported:
    """What a shell has of the local stack in `folder`: the names of its settings."""

    folder: Path
    names: frozenset[str]

    def __str__(self) -> str:
        return (
            f"settings that this shell has from the local stack in {self.folder} are not used here"
        )


def set_aside(environment: MutableMapping[str, str]) -> Exported | None:
    """Take what was exported from a local stack out of `environment`, and the mark; None where
    there is no mark."""
    folder, marked = environment.pop(STACK, None), environment.pop(SETTINGS, "")
    if folder is None:
        return None
    names = frozenset(
        name
        for name, _, fingerprint in (one.partition(":") for one in marked.split(","))
        if name in environment and _fingerprint(environment[name]) == fingerprint
    )
    for name in names:
        del environment[name]
    return Exported(Path(folder), names)


def exports(folder: Path, settings: Mapping[str, str], before: Collection[str]) -> Iterator[str]:
    """Lines for a shell that set and mark `settings`; of `before`, which an earlier call set, they
    unset what is not set anew."""
    for name in sorted(set(before) - settings.keys()):
        yield f"unset {name}"
    fingerprints = (f"{name}:{_fingerprint(value)}" for name, value in sorted(settings.items()))
    marks = {STACK: str(folder.absolute()), SETTINGS: ",".join(fingerprints)}
    for name, value in sorted({**settings, **marks}.items()):
        yield export(name, value)


def export(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fingerprint(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:FINGERPRINT_CHARACTERS]
