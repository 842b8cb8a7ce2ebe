"""Runs of blocks that end at a signed head: what proves records to somebody offline.

A span discloses the lines that were asked for. For the others of the same blocks it holds digests,
for the blocks between one root each.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from shared.audit.chain import Block, Tail, block_hash, digest_of, place_of, records_of, root_of
from shared.audit.findings import Report
from shared.audit.heads import Head, open_head
from shared.audit.record import Record, read_line
from shared.audit.store import AuditStore
from shared.proofs.statements import StatementRefused, StatementVerifier

Wanted = Callable[[Record], bool]


class SignedTails:
    """For each segment, what its own and others' heads say of where it ended."""

    def __init__(self, heads: Iterable[tuple[Head, str]]) -> None:
        self._texts: dict[str, dict[int, str]] = {}
        for head, text in heads:
            for segment, tail in {**head.seen, head.segment: head.tail}.items():
                self._texts.setdefault(segment, {}).setdefault(tail.sequence, text)

    def after(self, segment: str, sequence: int) -> tuple[int, str] | None:
        """The first signed end at or after `sequence`, and the head that says it."""
        signed = self._texts.get(segment, {})
        ends = [end for end in signed if end >= sequence]
        return (min(ends), signed[min(ends)]) if ends else None


class Spans:
    """Of the records that are wanted. `unsigned`: how many of them no head covers yet; `records`:
    how many the spans disclose."""

    def __init__(self, store: AuditStore, tails: SignedTails, wanted: Wanted) -> None:
        self._store = store
        self._tails = tails
        self._wanted = wanted
        self.unsigned = 0
        self.records = 0

    async def over(self, blocks: AsyncIterator[Block]) -> AsyncIterator[dict[str, Any]]:
        """`blocks` are in order of their places. Each span goes up to the next signed head."""
        reached: tuple[str, int] = ("", 0)
        async for block in blocks:
            if block.segment == reached[0] and block.last <= reached[1]:
                continue
            wanted = sum(map(self._wanted, records_of(block)))
            if not wanted:
                continue
            end = self._tails.after(block.segment, block.last)
            if end is None:
                self.unsigned += wanted
                continue
            reached = (block.segment, end[0])
            span = await _span(self._store, block, end, self._wanted)
            self.records += sum(len(entry.get("lines", ())) for entry in span["blocks"])
            yield span


async def _span(
    store: AuditStore, begin: Block, end: tuple[int, str], wanted: Wanted
) -> dict[str, Any]:
    entries = []
    async for block in store.segment(begin.segment, begin.first):
        if block.first > end[0]:
            break
        entries.append(_entry(block, wanted))
    return {
        "segment": begin.segment,
        "previous_hash": begin.previous_hash,
        "blocks": entries,
        "head": end[1],
    }


def _entry(block: Block, wanted: Wanted) -> dict[str, Any]:
    read = ((line, read_line(line)) for line in block.lines)
    lines = [line for line, record in read if record is not None and wanted(record)]
    place = {"first": block.first, "last": block.last}
    if not lines:
        return {**place, "root": root_of(block.digests)}
    return {**place, "digests": list(block.digests), "lines": lines}


def check_spans(
    spans: Sequence[Mapping[str, Any]], verifier: StatementVerifier, report: Report
) -> list[Record]:
    """The disclosed records. Raises KeyError, TypeError or ValueError for what is no span."""
    records: list[Record] = []
    for span in spans:
        records += _check_span(span, verifier, report)
    return records


def _check_span(
    span: Mapping[str, Any], verifier: StatementVerifier, report: Report
) -> list[Record]:
    records: list[Record] = []
    segment, tail = str(span["segment"]), Tail(0, str(span["previous_hash"]))
    for block in span["blocks"]:
        where = f"audit segment {segment}, records {block['first']} to {block['last']}"
        if tail.sequence and block["first"] != tail.sequence + 1:
            report.found(where, "the blocks before them are missing")
        # where digests are told, they make the root: lines are held against them
        root = root_of(block["digests"]) if "digests" in block else block["root"]
        for line in block.get("lines", ()):
            record = orjson.loads(line)
            place = record["sequence"] - block["first"]
            if not 0 <= place < len(block["digests"]) or block["digests"][place] != digest_of(line):
                report.found(f"audit segment {segment}, record {record['sequence']}", "edited")
            records.append(record)
        tail = Tail(block["last"], block_hash(tail.hash, place_of(segment, block["first"]), root))
    _check_head(span, segment, tail, verifier, report)
    return records


def _check_head(
    span: Mapping[str, Any], segment: str, tail: Tail, verifier: StatementVerifier, report: Report
) -> None:
    where = f"audit segment {segment}, records up to {tail.sequence}"
    try:
        head = open_head(verifier, span["head"])
    except StatementRefused as error:
        report.found(f"audit segment {segment}, signed head", str(error))
        return
    if tail not in (head.tail if head.segment == segment else None, head.seen.get(segment)):
        report.found(where, "their hash is not the one that the head signs")
