"""Evidence of one safety violation, in one file that proves itself: made, and checked with nothing
but the public keys."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from shared.audit.block_check import Report
from shared.audit.head_check import Signatures
from shared.audit.periods import CLOCK_STEPS, blocks_between
from shared.audit.record import Record
from shared.audit.signed_trail import SignedTrail
from shared.audit.spans import SignedTails, Spans, check_signed, check_spans
from shared.clock import iso
from shared.event_store.envelope import Commit, canonical_body
from shared.event_store.port import EventStore, pages
from shared.signing import StatementVerifier

FORMAT = "teddy-evidence/1"
KIND = "teddy-evidence"


class NoEvidence(Exception):
    """There is nothing to export."""


class NotSignedYet(Exception):
    """No signed head covers it yet."""


async def collect(
    store: EventStore,
    trail: SignedTrail,
    child_id: str,
    violation_id: str,
    at: datetime,
    report: Report,
    most_heads: int | None = None,
) -> dict[str, Any]:
    """The bundle: the violation's commits as stored (personal values stay sealed), and every audit
    record of the child since, up to signed heads. Every record since is read, and what is not as it
    was written is named in the bundle and in `report`. With `most_heads` the heads since are read,
    of which there may be so many, and the bundle says from when on; without, all of them. Raises
    NoEvidence, NotSignedYet, TooManyHeads, StoreUnavailable."""
    concerned = await _concerned(store, child_id, violation_id)
    if not concerned:
        raise NoEvidence(f"no violation {violation_id} of the child {child_id} is in the store")
    since = concerned[0].recorded_at
    signed = await _signatures(trail, since, most_heads, report)
    tails = await asyncio.to_thread(SignedTails, signed.heads)
    spans = Spans(trail.store, tails, lambda record: child_id in record["children"])
    blocks = blocks_between(trail.store, signed, since, None, report)
    audit = [span async for span in spans.over(blocks)]
    anchored = _anchored_versions(audit, child_id)
    bundle: dict[str, Any] = {
        "format": FORMAT,
        "exported_at": iso(at),
        "child_id": child_id,
        "violation_id": violation_id,
        "schema_versions": {e.type: e.schema_version for c in concerned for e in c.events},
        "commits": [as_json(c) for c in await _up_to_anchors(store, concerned, anchored)],
        "audit": audit,
        "unsigned_audit_records": spans.unsigned,
        "trail": _trail(report, None if most_heads is None else since),
        "keys": trail.jwks,
    }
    digest = await asyncio.to_thread(digest_of_bundle, bundle)
    return bundle | {"signature": trail.signer.sign(KIND, {"digest": digest})}


async def _signatures(
    trail: SignedTrail, since: datetime, most_heads: int | None, report: Report
) -> Signatures:
    if most_heads is None:
        return await trail.signatures(report)
    return await trail.recent(since - CLOCK_STEPS, most_heads, report)


def _trail(report: Report, since: datetime | None) -> dict[str, Any]:
    """`since`: older heads were not read."""
    return {
        "records_read": report.counted.get("audit records", 0),
        "findings": [str(finding) for finding in report.findings],
        **({} if since is None else {"heads_since": iso(since - CLOCK_STEPS)}),
    }


def as_file(bundle: Mapping[str, Any]) -> bytes:
    """As it is kept: `check_bundle` takes what is read from it."""
    return orjson.dumps(bundle, option=orjson.OPT_INDENT_2)


def digest_of_bundle(bundle: Mapping[str, Any]) -> str:
    """SHA-256 in hex over the bundle without its signature."""
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
    """The commits about the violation, few among the child's many."""
    return [
        commit
        async for commits in pages(store, child_id)
        for commit in commits
        if any(orjson.loads(e.data).get("violation_id") == violation_id for e in commit.events)
    ]


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
    """Raises NotSignedYet when nothing signed names any that follows."""
    part: list[Commit] = []
    newest = max(anchored, default=0)
    async for commits in pages(store, one.child_id, one.first_version - 1):
        for commit in commits:
            part.append(commit)
            if commit.last_version in anchored:
                return part
        if commits[-1].last_version >= newest:
            break
    raise NotSignedYet(
        f"no signed head covers version {one.first_version} yet; heads are signed every "
        "TEDDY_AUDIT_HEAD_SECONDS"
    )


class NotEvidence(Exception):
    """The file is no evidence of this format."""


def check_bundle(bundle: Any, verifier: StatementVerifier) -> tuple[Report, list[Record]]:
    """With the audit records that the file discloses, proved or not: see the report. Raises
    NotEvidence."""
    if not isinstance(bundle, dict) or bundle.get("format") != FORMAT:
        raise NotEvidence(f"not a file of the format {FORMAT}")
    report = Report()
    try:
        records = check_spans(bundle["audit"], verifier, report)
        _check_commits(bundle["commits"], bundle["child_id"], records, report)
        _check_subject(bundle, report)
        _check_trail(bundle, report)
        signed = {"digest": digest_of_bundle(bundle)}
        check_signed(KIND, bundle["signature"], signed, verifier, report)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotEvidence(f"malformed: {type(error).__name__} at {error}") from None
    report.count("commits", len(bundle["commits"]))
    report.count("audit records", len(records))
    return report, records


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
    if since := bundle["trail"].get("heads_since"):
        report.notes.append(
            f"made with the heads signed since {since}; whether a segment that ended before was "
            "deleted, teddy audit verify says"
        )
    for finding in bundle["trail"]["findings"]:
        report.found("when the file was created", str(finding))
