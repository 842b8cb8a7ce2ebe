"""Evidence of one safety violation, in one file that proves itself."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from deploy.proofs.block_check import Report
from deploy.proofs.head_check import read_signatures
from deploy.proofs.scan import blocks_between
from deploy.proofs.spans import SignedTails, Spans
from projection_worker.session import Refused
from shared.audit.record import Record
from shared.audit.store import AuditStore
from shared.clock import iso
from shared.event_store.envelope import Commit, canonical_body
from shared.event_store.port import EventStore, pages
from shared.signing import StatementSigner, StatementVerifier

FORMAT = "teddy-evidence/1"
KIND = "teddy-evidence"


class NoEvidence(Refused):
    """There is nothing to export, or nothing that a signed head covers yet."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where evidence is taken from. `jwks`: every public key of proofs, goes into the file.
    `heads`: the lines of the append-only file of signed heads."""

    store: EventStore
    trail: AuditStore
    signer: StatementSigner
    jwks: Mapping[str, Any]
    heads: Sequence[str] = ()


async def collect(
    sources: Sources, child_id: str, violation_id: str, at: datetime, report: Report
) -> dict[str, Any]:
    """The bundle: the violation's commits as stored (personal values stay sealed), and every audit
    record of the child since, up to signed heads. Every record since is read, and what is not as it
    was written is told in the bundle and in `report`. Raises NoEvidence, StoreUnavailable."""
    concerned = await _concerned(sources.store, child_id, violation_id)
    if not concerned:
        raise NoEvidence(f"no violation {violation_id} of the child {child_id} is in the store")
    verifier = StatementVerifier(sources.jwks)
    signed = await read_signatures(sources.trail, verifier, sources.heads, report)
    spans = Spans(
        sources.trail, SignedTails(signed.heads), lambda record: child_id in record["children"]
    )
    since = blocks_between(sources.trail, signed, concerned[0].recorded_at, None, report)
    audit = [span async for span in spans.over(since)]
    anchored = _anchored_versions(audit, child_id)
    bundle: dict[str, Any] = {
        "format": FORMAT,
        "exported_at": iso(at),
        "child_id": child_id,
        "violation_id": violation_id,
        "schema_versions": {e.type: e.schema_version for c in concerned for e in c.events},
        "commits": [as_json(c) for c in await _up_to_anchors(sources.store, concerned, anchored)],
        "audit": audit,
        "unsigned_audit_records": spans.unsigned,
        "trail": {
            "records_read": report.counted.get("audit records", 0),
            "findings": [str(finding) for finding in report.findings],
        },
        "keys": sources.jwks,
    }
    return bundle | {"signature": sources.signer.sign(KIND, {"digest": digest_of_bundle(bundle)})}


def digest_of_bundle(bundle: Mapping[str, Any]) -> str:
    """Over all of it but its signature."""
    content = {name: value for name, value in bundle.items() if name != "signature"}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def as_json(commit: Commit) -> dict[str, Any]:
    """`body` is what the commit's hash covers."""
    return {
        "previous_hash": commit.previous_hash,
        "hash": commit.hash,
        "body": canonical_body(commit),
    }


async def _concerned(store: EventStore, child_id: str, violation_id: str) -> list[Commit]:
    """The commits that tell of the violation, as few as they are among the child's many."""
    return [
        commit
        async for commits in pages(store, child_id)
        for commit in commits
        if _concerns(commit, violation_id)
    ]


def _concerns(commit: Commit, violation_id: str) -> bool:
    return any(orjson.loads(e.data).get("violation_id") == violation_id for e in commit.events)


def _anchored_versions(spans: Sequence[Mapping[str, Any]], child_id: str) -> set[int]:
    lines = (line for span in spans for block in span["blocks"] for line in block.get("lines", ()))
    records: list[Record] = [orjson.loads(line) for line in lines]  # read once already
    return {r["anchor"]["version"] for r in records if "anchor" in r and child_id in r["children"]}


async def _up_to_anchors(
    store: EventStore, concerned: Sequence[Commit], anchored: set[int]
) -> list[Commit]:
    """`concerned`, each with what follows it up to the first commit that a signed record names."""
    chosen: dict[int, Commit] = {}
    for one in concerned:
        if one.first_version in chosen:
            continue  # its part is the end of that one's
        part = await _up_to_anchor(store, one, anchored)
        chosen |= {commit.first_version: commit for commit in part}
    return [chosen[version] for version in sorted(chosen)]


async def _up_to_anchor(store: EventStore, one: Commit, anchored: set[int]) -> list[Commit]:
    """Raises NoEvidence when nothing signed names any that follows."""
    part: list[Commit] = []
    newest = max(anchored, default=0)
    async for commits in pages(store, one.child_id, one.first_version - 1):
        for commit in commits:
            part.append(commit)
            if commit.last_version in anchored:
                return part
        if commits[-1].last_version >= newest:
            break
    raise NoEvidence(
        f"no signed head covers version {one.first_version} yet; heads are signed every "
        "TEDDY_AUDIT_HEAD_SECONDS"
    )
