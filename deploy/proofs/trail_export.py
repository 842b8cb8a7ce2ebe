"""Audit records of a time in a file of their own, which proves itself."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO

import click
import orjson

from shared.audit.block_check import Report
from shared.audit.periods import blocks_between
from shared.audit.records_of_children import Bear, Wanted
from shared.audit.signed_trail import SignedTrail
from shared.audit.spans import SignedTails, Spans, check_signed, check_spans
from shared.auth.bears import BearIndex, in_one_case, older_alias
from shared.clock import iso
from shared.event_store.port import ClaimStore
from shared.signing import StatementVerifier

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
