"""Audit records of one child: who looked at it, shown and exported."""

import hashlib
import heapq
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

import click
import orjson

from deploy.proofs.block_check import Report, check_content
from deploy.proofs.head_check import SignedTrail, blocks_between
from deploy.proofs.spans import SignedTails, Spans, check_signed, check_spans
from shared.audit.chain import Block, read_lines
from shared.audit.record import Record
from shared.audit.store import AuditStore
from shared.auth.access import BearIndex, Role, in_one_case, older_alias
from shared.clock import iso
from shared.event_store.port import ClaimStore
from shared.mongo import Document
from shared.signing import StatementVerifier


@dataclass(frozen=True, slots=True)
class Bear:
    """`child_id`: of the child that has the bear now; None: none has. `older_alias`: under which
    earlier releases recorded it, whichever child it had then."""

    child_id: str | None
    older_alias: str

    def is_of(self, record: Record) -> bool:
        """Whether this bear, or an earlier one of its child, asked."""
        is_bear = record["role"] == Role.DEVICE.value
        return record["subject"] == self.older_alias or (
            is_bear and self.child_id is not None and self.child_id in record["children"]
        )

    def blocks(self) -> Document:
        """Those that may hold a record of it, as their index says."""
        of_child = [] if self.child_id is None else [{"children": self.child_id}]
        return {"$or": [{"subjects": self.older_alias}, *of_child]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Every condition that is given must hold; `since` is included, `until` is not."""

    child_id: str | None = None
    subject: str | None = None
    bear: Bear | None = None
    operation: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def includes(self, record: Record) -> bool:
        return (
            (self.child_id is None or self.child_id in record["children"])
            and self.subject in (None, record["subject"])
            and (self.bear is None or self.bear.is_of(record))
            and self.operation in (None, record["operation"])
            and (self.since is None or record["at"] >= iso(self.since))
            and (self.until is None or record["at"] < iso(self.until))
        )

    def blocks(self) -> Document:
        """Those that may hold one, as their index says."""
        named = {
            "children": self.child_id,
            "subjects": self.subject,
            "operations": self.operation,
            "since": None if self.until is None else {"$lt": self.until},
            "until": None if self.since is None else {"$gte": self.since},
        }
        of_bear = {} if self.bear is None else self.bear.blocks()
        return {name: value for name, value in named.items() if value is not None} | of_bear


async def find_records(
    trail: AuditStore, wanted: Wanted, limit: int, report: Report, *, every_block: bool
) -> list[Record]:
    """At most `limit`, the newest first. `every_block`: the index is not asked, so that it hides
    nothing; that takes as long as the trail is. What was altered among it goes to
    `report`. Raises StoreUnavailable."""
    if every_block:
        return await _newest(trail.blocks({}), wanted, limit, report)
    found: list[Record] = []
    async for block in trail.blocks(wanted.blocks(), newest_first=True):
        found += reversed(_wanted(block, wanted, report))
        if len(found) >= limit:
            break
    return found[:limit]


async def _newest(
    blocks: AsyncIterator[Block], wanted: Wanted, limit: int, report: Report
) -> list[Record]:
    found: list[tuple[str, str, int, Record]] = []
    async for block in blocks:
        records = _wanted(block, wanted, report)
        places = [(one["at"], block.segment, one["sequence"], one) for one in records]
        found = heapq.nlargest(limit, found + places, key=lambda place: place[:3])
    return [record for *_, record in found]


def _wanted(block: Block, wanted: Wanted, report: Report) -> list[Record]:
    read = read_lines(block)
    report.findings += check_content(block, read)
    return [record for record in read if record is not None and wanted.includes(record)]


UNSIGNED_FORMAT = "teddy-audit-export/1"
FORMAT = "teddy-audit-export/2"
KIND = "teddy-audit-export"


class NotAnExport(Exception):
    """The file is no export of this format."""


async def write_export(
    trail: SignedTrail, since: datetime, until: datetime, file: BinaryIO, report: Report
) -> Spans:
    """Every record of that time that a head covers, whatever an index says; the spans count them,
    and those that no head covers yet. What was altered goes to `report` and into the file. Raises
    StoreUnavailable.

    First a line on what it is, with the public keys; then a span a line; at last a line that signs
    all before it, so that nothing can be left out.
    """
    digest = hashlib.sha256()

    def write(content: Mapping[str, Any]) -> None:
        line = orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
        digest.update(line)
        file.write(line)

    write({"format": FORMAT, "from": iso(since), "to": iso(until), "keys": trail.jwks})
    signed = await trail.signatures(report)
    wanted = Wanted(since=since, until=until)
    spans = Spans(trail.store, SignedTails(signed.heads), wanted.includes)
    async for span in spans.over(blocks_between(trail.store, signed, since, until, report)):
        write(span)
    end = {"findings": [str(finding) for finding in report.findings]}
    statement = {**end, "digest": digest.hexdigest()}
    write({**end, "signature": trail.signer.sign(KIND, statement)})
    return spans


def check_export(lines: Sequence[bytes], keys: Mapping[str, Any] | None) -> Report:
    """`keys` None: the file's own are taken, which proves only that it fits itself. Raises
    NotAnExport."""
    try:
        title, *spans = [orjson.loads(line) for line in lines]
        verifier, report = StatementVerifier(keys or title["keys"]), Report()
        if title["format"] == FORMAT:
            _check_end(lines, spans.pop(), verifier, report)
        elif title["format"] == UNSIGNED_FORMAT:
            report.notes.append("made by an earlier release: whole spans may have been left out")
            if title["spans"] != len(spans):
                report.found("file", f"holds {len(spans)} spans of {title['spans']}")
        else:
            raise NotAnExport(f"not a file of the format {FORMAT}")
        records = check_spans(spans, verifier, report)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise NotAnExport(f"no audit export: {type(error).__name__}") from None
    report.count("audit records", len(records))
    return report


def _check_end(
    lines: Sequence[bytes], end: Mapping[str, Any], verifier: StatementVerifier, report: Report
) -> None:
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines[:-1])).hexdigest()
    if "signature" not in end:
        report.found("file", "its end is missing, with the signature")
        return
    content = {"digest": digest, "findings": end["findings"]}
    if check_signed(KIND, end["signature"], content, verifier, report):
        for finding in end["findings"]:
            report.found("when the file was created", str(finding))


async def bear_of(claims: ClaimStore, index_key: bytes, device_id: str) -> Bear:
    """Found by its reservation; prints on stderr whose it is. Raises StoreUnavailable."""
    held = await claims.find(BearIndex(index_key).device_key(in_one_case(device_id)))
    if held is None or held.released:
        found, child_id = "no child has this bear now; showing records of earlier releases", None
    else:
        found, child_id = f"it is the bear of child {held.child_id}", held.child_id
    click.echo(f"teddy: {found}", err=True)
    return Bear(child_id, older_alias(index_key, device_id))
