"""Signed heads since a time, for a process that answers others meanwhile: read from the newest
backwards, some at a time, and never more than so many."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import TypeVar

from shared.audit.block_check import Report
from shared.audit.head_check import Place, Signatures, SignedHeads, name_of
from shared.audit.heads import said_in
from shared.audit.port import ReadableTrail, WatchedTrail
from shared.audit.spans import KIND as PURGED
from shared.audit.spans import SignedPurges
from shared.clock import iso
from shared.signing import StatementVerifier, kind_of

AT_ONCE = 500
"""Read and checked together, in 50 ms at most: whoever ends the work waits no longer."""

LINES_AT_ONCE = 2_000

Item = TypeVar("Item")


class TooManyHeads(Exception):
    """More were signed since than are read."""


async def read_recent(
    trail: ReadableTrail,
    verifier: StatementVerifier,
    file: Iterable[str],
    since: datetime,
    most: int,
    report: Report,
) -> Signatures:
    """Of each segment the heads since, and the newest before, with which its chain begins: older
    ones vouch for no record since. Of `file` no other lines are kept. What is refused, missing or
    out of order among them is a finding. Raises TooManyHeads, StoreUnavailable, OSError,
    ValueError."""
    until = iso(since)
    # first: what stands in it was in the database before
    in_file = await _in_file(file, until, most)
    purges = SignedPurges(verifier, report)
    await asyncio.to_thread(purges.add, in_file.purges, "heads file")
    await asyncio.to_thread(purges.add, await trail.purges(), "database")
    heads = SignedHeads(verifier, report, purges)
    for segment in await trail.segments_of_heads():
        await walk_back(trail, segment, heads, until, most)
    stored, elsewhere = heads.places(), set[Place]()
    chosen = ((number, text) for number, place, text in in_file.heads if heads.may_vouch(place))
    while some := list(islice(chosen, AT_ONCE)):
        elsewhere |= await asyncio.to_thread(heads.add, some, "heads file")
        _refuse_above(most, len(heads))
    for place in sorted(elsewhere - stored):
        report.found(name_of(*place), "deleted from the database")
    await asyncio.to_thread(heads.check_chain, until)
    return Signatures(purges, heads)


async def walk_back(
    trail: ReadableTrail | WatchedTrail,
    segment: str,
    heads: SignedHeads,
    until: str,
    most: int,
) -> None:
    """Add the segment's heads since `until`, and the newest before. Raises TooManyHeads."""
    before: int | None = None
    size = 1  # of most segments the newest is older than `until`
    while some := await trail.newest_heads(segment, before, size):
        is_reached = await asyncio.to_thread(heads.add_back, segment, some, until)
        _refuse_above(most, len(heads))
        if is_reached:
            return
        before, size = some[-1][0], min(10 * size, AT_ONCE)


@dataclass(slots=True)
class _InFile:
    """`heads`: number of the line, what the line says its place is, and the line."""

    purges: list[str] = field(default_factory=list)
    heads: list[tuple[int, Place | None, str]] = field(default_factory=list)


async def _in_file(file: Iterable[str], until: str, most: int) -> _InFile:
    found = _InFile()
    older: dict[str, tuple[int, Place, str]] = {}
    lines = enumerate(file, 1)
    while await asyncio.to_thread(_sort_out, lines, until, found, older):
        _refuse_above(most, len(found.heads))
    found.heads += older.values()
    return found


def _sort_out(
    lines: Iterator[tuple[int, str]],
    until: str,
    found: _InFile,
    older: dict[str, tuple[int, Place, str]],
) -> bool:
    """The next lines; False: there are none. Nothing is checked yet. Whoever alters what a line
    says of itself could take the line away as well."""
    some = list(islice(lines, LINES_AT_ONCE))
    for number, text in some:
        if _kind(text.partition(".")[0]) == PURGED:
            found.purges.append(text)
            continue
        place, at = _said_of(text)
        if place is None or at >= until:
            found.heads.append((number, place, text))
        elif place[0] not in older or place > older[place[0]][1]:
            older[place[0]] = (number, place, text)
    return bool(some)


def _said_of(text: str) -> tuple[Place | None, str]:
    try:
        said = said_in(text)
        segment, number, at = said["segment"], said["number"], said["at"]
    except (KeyError, TypeError, ValueError):
        return None, ""
    if (type(segment), type(number), type(at)) != (str, int, str):
        return None, ""
    return (segment, number), at


@lru_cache(maxsize=64)
def _kind(header: str) -> str | None:
    return kind_of(f"{header}..")


def _refuse_above(most: int, number: int) -> None:
    if number > most:
        raise TooManyHeads(f"more than {most:,} signed heads")
