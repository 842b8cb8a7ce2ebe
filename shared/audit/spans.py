"""Runs of blocks that end at a signed head: what proves records to somebody offline.

A span discloses the lines that were asked for. For the others of the same blocks it holds digests,
for the blocks between one root each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.audit.chain import Block, Tail, block_hash, digest_of, place_of, root_of
from shared.audit.findings import Report
from shared.audit.heads import open_head
from shared.audit.store import AuditStore
from shared.proofs.statements import StatementRefused, StatementVerifier

Record = dict[str, Any]
Wanted = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class Spans:
    """`unsigned`: records that were wanted and that no head covers yet."""

    spans: list[dict[str, Any]]
    unsigned: int


class SignedTails:
    """For each segment, what its own and others' heads say of where it ended."""

    def __init__(self, verifier: StatementVerifier, heads: Iterable[str]) -> None:
        self._texts: dict[str, dict[int, str]] = {}
        for text in heads:
            head = open_head(verifier, text)
            for segment, tail in {**head.seen, head.segment: head.tail}.items():
                self._texts.setdefault(segment, {}).setdefault(tail.sequence, text)

    def after(self, segment: str, sequence: int) -> tuple[int, str] | None:
        """The first signed end at or after `sequence`, and the head that says it."""
        signed = self._texts.get(segment, {})
        ends = [end for end in signed if end >= sequence]
        return (min(ends), signed[min(ends)]) if ends else None


async def spans_of(
    store: AuditStore, tails: SignedTails, blocks: Iterable[Block], wanted: Wanted
) -> Spans:
    """Spans over `blocks`, which are in order of their places."""
    spans: list[dict[str, Any]] = []
    unsigned = 0
    reached: tuple[str, int] = ("", 0)
    for block in blocks:
        if block.segment == reached[0] and block.last <= reached[1]:
            continue
        end = tails.after(block.segment, block.last)
        if end is None:
            unsigned += sum(wanted(orjson.loads(line)) for line in block.lines)
            continue
        spans.append(await _span(store, block, end, wanted))
        reached = (block.segment, end[0])
    return Spans(spans, unsigned)


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
    lines = [line for line in block.lines if wanted(orjson.loads(line))]
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
        root = block.get("root") or root_of(block["digests"])
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
