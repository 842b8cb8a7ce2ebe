"""A copy of the trail between two times, as JSON lines that can be verified offline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

import orjson

from shared.audit.findings import Report
from shared.audit.spans import SignedTails, check_spans, spans_of
from shared.audit.store import AuditStore
from shared.clock import iso
from shared.proofs.statements import StatementVerifier

FORMAT = "teddy-audit-export/1"


class NotAnExport(Exception):
    """The file is no export of this format."""


@dataclass(frozen=True, slots=True)
class Written:
    """`unsigned`: records of that time that no head covers yet; they are left out."""

    records: int
    unsigned: int


async def write_export(
    trail: AuditStore, jwks: Mapping[str, Any], since: datetime, until: datetime, file: BinaryIO
) -> Written:
    """First a line on what it is, with the public keys; then a span a line. Raises
    StoreUnavailable."""
    tails = SignedTails(StatementVerifier(jwks), await trail.heads())
    condition = {"until": {"$gte": since}, "since": {"$lt": until}}
    blocks = [block async for block in trail.blocks(condition)]
    proof = await spans_of(trail, tails, blocks, lambda _: True)
    records = sum(len(block["lines"]) for span in proof.spans for block in span["blocks"])
    title = {"format": FORMAT, "from": iso(since), "to": iso(until), "keys": jwks}
    file.write(orjson.dumps(title | {"spans": len(proof.spans)}, option=orjson.OPT_APPEND_NEWLINE))
    for span in proof.spans:
        file.write(orjson.dumps(span, option=orjson.OPT_APPEND_NEWLINE))
    return Written(records, proof.unsigned)


def check_export(lines: Sequence[bytes], keys: Mapping[str, Any] | None) -> Report:
    """`keys` None: the file's own are taken, which proves only that it fits itself. Raises
    NotAnExport."""
    try:
        title, *spans = [orjson.loads(line) for line in lines]
        if title["format"] != FORMAT:
            raise NotAnExport(f"not a file of the format {FORMAT}")
        report = Report()
        if title["spans"] != len(spans):
            report.found("file", f"holds {len(spans)} spans of {title['spans']}")
        records = check_spans(spans, StatementVerifier(keys or title["keys"]), report)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAnExport(f"no audit export: {type(error).__name__}") from None
    report.count("audit records", len(records))
    return report
