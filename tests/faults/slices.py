"""The short selection: one slice of all cases a run, the next one with each commit.

Slices take about as long as each other, and a row of as many commits as there are slices runs every
case.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.cases.case import Case

CASES_A_SLICE = 10
"""On average."""

NEW_CASE_SECONDS = 20.0
DAY_SECONDS = 86_400
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Turn:
    """Which slice is due, counted from 0 without end, and by what."""

    number: int
    because: str


def slices_of(cases: Sequence[Case], seconds: Mapping[str, float]) -> list[list[Case]]:
    """Every case is in one of them. Which, says how long each took: the longest first, each to the
    slice that is shortest so far."""
    slices: list[list[Case]] = [[] for _ in range(-(-len(cases) // CASES_A_SLICE))]
    taken = [0.0] * len(slices)
    for case in sorted(cases, key=lambda one: -seconds.get(one.name, NEW_CASE_SECONDS)):
        shortest = taken.index(min(taken))
        slices[shortest].append(case)
        taken[shortest] += seconds.get(case.name, NEW_CASE_SECONDS)
    return slices


def commit_of(repository: Path = HERE) -> str | None:
    """In short; None outside a repository."""
    return _git(repository, "rev-parse", "--short", "HEAD")


def turn_of(repository: Path = HERE) -> Turn:
    """By the commit: how many main had before it, merges as one. Where only a few of them are here,
    by the day of the commit; outside a repository by today."""
    commit = commit_of(repository)
    if commit is None:
        return Turn(int(datetime.now(UTC).timestamp()) // DAY_SECONDS, "today")
    if _git(repository, "rev-parse", "--is-shallow-repository") == "true":
        at = _git(repository, "show", "--no-patch", "--format=%ct", "HEAD")
        return Turn(int(at or 0) // DAY_SECONDS, f"the day of commit {commit}")
    before = _git(repository, "rev-list", "--count", "--first-parent", "HEAD")
    return Turn(int(before or 0), f"commit {commit}")


def _git(repository: Path, *arguments: str) -> str | None:
    """What git says; None where it is not installed or there is no repository."""
    try:
        asked = subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, check=False, text=True
        )
    except FileNotFoundError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
