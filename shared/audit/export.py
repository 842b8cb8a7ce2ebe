"""A copy of the trail between two times, as JSON lines that can be verified offline.

First a line on what it is, with the public keys; then a span a line; at last a line that signs all
before it, so that nothing can be left out.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

import orjson

from shared.audit.findings import Report
from shared.audit.head_check import read_signatures
from shared.audit.lookup import Wanted
from shared.audit.scan import blocks_between
from shared.audit.spans import SignedTails, Spans, check_spans
from shared.audit.store import AuditStore
from shared.clock import iso
from shared.proofs.statements import StatementRefused, StatementSigner, StatementVerifier

UNSIGNED_FORMAT = "teddy-audit-export/1"
FORMAT = "teddy-audit-export/2"
KIND = "teddy-audit-export"


class NotAnExport(Exception):
    """The file is no export of this format."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where it is taken from. `jwks`: every public key of proofs, goes into the file. `heads`: the
    lines of the append-only file of signed heads."""

    trail: AuditStore
    signer: StatementSigner
    jwks: Mapping[str, Any]
    heads: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """`unsigned`: records of that time that no head covers yet; they are left out. `report`: what
    is not as it was written; the file tells it, too."""

    records: int
    unsigned: int
    report: Report


async def write_export(
    sources: Sources, since: datetime, until: datetime, file: BinaryIO
) -> Written:
    """Every record of that time that a head covers, whatever an index says. Raises
    StoreUnavailable."""
    report, digest = Report(), hashlib.sha256()

    def write(content: Mapping[str, Any]) -> None:
        line = orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
        digest.update(line)
        file.write(line)

    write({"format": FORMAT, "from": iso(since), "to": iso(until), "keys": sources.jwks})
    verifier = StatementVerifier(sources.jwks)
    signed = await read_signatures(sources.trail, verifier, sources.heads, report)
    wanted = Wanted(since=since, until=until)
    spans = Spans(sources.trail, SignedTails(signed.heads), wanted.includes)
    async for span in spans.over(blocks_between(sources.trail, signed, since, until, report)):
        write(span)
    end = {"findings": [str(finding) for finding in report.findings]}
    statement = {**end, "digest": digest.hexdigest()}
    write({**end, "signature": sources.signer.sign(KIND, statement)})
    return Written(spans.records, spans.unsigned, report)


def check_export(lines: Sequence[bytes], keys: Mapping[str, Any] | None) -> Report:
    """`keys` None: the file's own are taken, which proves only that it fits itself. Raises
    NotAnExport."""
    try:
        title, *spans = [orjson.loads(line) for line in lines]
        verifier, report = StatementVerifier(keys or title["keys"]), Report()
        if title["format"] == FORMAT:
            _check_end(lines, spans.pop(), verifier, report)
        elif title["format"] == UNSIGNED_FORMAT:
            report.notes.append("made by an earlier release: whole spans can have been left out")
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
    try:
        signed = verifier.open(KIND, end["signature"])
    except StatementRefused as error:
        report.found("signature of the file", str(error))
        return
    if signed.get("digest") != digest or signed.get("findings") != end["findings"]:
        report.found("file", "altered after it was signed: something was added, removed or changed")
    for finding in end["findings"]:
        report.found("when the file was made", str(finding))
