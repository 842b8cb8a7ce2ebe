"""Checks a file of evidence with nothing but the public keys."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from deploy.proofs.block_check import Report
from deploy.proofs.bundle import FORMAT, KIND, digest_of_bundle
from deploy.proofs.spans import check_spans
from shared.audit.record import Record
from shared.signing import StatementRefused, StatementVerifier


class NotEvidence(Exception):
    """The file is no evidence of this format."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`records`: the audit records that the file discloses, proved or not: see the report."""

    report: Report
    records: list[Record]


def check_bundle(bundle: Any, verifier: StatementVerifier) -> Checked:
    """Raises NotEvidence."""
    if not isinstance(bundle, dict) or bundle.get("format") != FORMAT:
        raise NotEvidence(f"not a file of the format {FORMAT}")
    report = Report()
    try:
        records = check_spans(bundle["audit"], verifier, report)
        _check_commits(bundle["commits"], bundle["child_id"], records, report)
        _check_subject(bundle, report)
        _check_trail(bundle, report)
        _check_signature(bundle, verifier, report)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotEvidence(f"malformed: {type(error).__name__} at {error}") from None
    report.count("commits", len(bundle["commits"]))
    report.count("audit records", len(records))
    return Checked(report, records)


def _check_commits(
    commits: Sequence[Mapping[str, Any]], child_id: str, records: Sequence[Record], report: Report
) -> None:
    anchors = {
        (record["anchor"]["version"], record["anchor"]["hash"])
        for record in records
        if "anchor" in record and child_id in record["children"]
    }
    vouched = False  # by an anchor at this commit or at one that follows it without a gap
    following: Mapping[str, Any] | None = None
    for commit in reversed(commits):
        body = commit["body"]
        where = f"commit at version {body['first_version']}"
        if _hash_of(commit) != commit["hash"]:
            report.found(where, "edited: its content differs from its hash")
        if body["child_id"] != child_id:
            report.found(where, "belongs to another child")
        is_followed = following is not None and following["previous_hash"] == commit["hash"]
        vouched = (vouched and is_followed) or (_last_version(body), commit["hash"]) in anchors
        if not vouched:
            report.found(where, "no signed audit record names it")
        following = commit


def _hash_of(commit: Mapping[str, Any]) -> str:
    canonical = orjson.dumps(commit["body"], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(commit["previous_hash"].encode() + canonical).hexdigest()


def _last_version(body: Mapping[str, Any]) -> int:
    return int(body["first_version"]) + len(body["events"]) - 1


def _check_subject(bundle: Mapping[str, Any], report: Report) -> None:
    """The file is about the violation that it names, in the versions that it names."""
    events = [event for commit in bundle["commits"] for event in commit["body"]["events"]]
    about = [e for e in events if orjson.loads(e[3]).get("violation_id") == bundle["violation_id"]]
    if not about:
        report.found(f"violation {bundle['violation_id']}", "no event of the file is about it")
    for kind, version, _, _ in about:
        if bundle["schema_versions"].get(kind) != version:
            report.found(f"schema version of {kind}", f"the event says {version}")


def _check_trail(bundle: Mapping[str, Any], report: Report) -> None:
    """What was wrong with the trail when the file was made: records may be missing by it."""
    if "trail" not in bundle:
        report.notes.append("made by an earlier release, which did not check for hidden records")
        return
    for finding in bundle["trail"]["findings"]:
        report.found("when the file was created", str(finding))


def _check_signature(
    bundle: Mapping[str, Any], verifier: StatementVerifier, report: Report
) -> None:
    try:
        signed = verifier.open(KIND, bundle["signature"])
    except StatementRefused as error:
        report.found("signature of the file", str(error))
        return
    if signed.get("digest") != digest_of_bundle(bundle):
        report.found("file", "altered after it was signed: something was added, removed or changed")
