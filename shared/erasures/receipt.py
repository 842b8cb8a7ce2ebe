"""The receipt of an erasure: what was removed where and when, signed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.clock import iso
from shared.event_store.port import OlderContent
from shared.keyring.erased_list import ErasedChild, ErasureStep
from shared.signing import StatementRefused, StatementSigner, StatementVerifier

KIND = "teddy-erasure-receipt"

PLACES: Mapping[ErasureStep, str] = {
    ErasureStep.KEY: "the key that decrypts the child's personal values, in the key database",
    ErasureStep.CLAIMS: "the claims on the bear's udid and device id, in the event store",
    ErasureStep.SNAPSHOTS: "the encrypted snapshot of the child, in the event store",
    ErasureStep.READ_MODELS: "profile, conversations, safety, violations, activity, alerts "
    "and search tokens, in every generation of the read models",
    ErasureStep.DEAD_LETTERS: "the child's dead-lettered records, in the read models",
}

REMAINS: Mapping[str, str] = {
    "events": "Types, times, versions, ids and hashes; the parent's id; severities, "
    "outcomes, purposes and methods of consent, channels and word counts. Personal "
    "values in them are ciphertext that no key decrypts any more. They stay so "
    "that changes of the history are detected.",
    "who acted": "For each change the subject and role of the parent or member of staff, and ids "
    "of the request. A bear is recorded under a random pseudonym that cannot be traced to it.",
    "keys of requests": "Hashed under the index key, for commands with an Idempotency-Key; "
    "the request is hashed under the child's destroyed key.",
    "tombstone": "Child id, parent id, and when the child was registered and erased, so that "
    "the family can get this receipt and no replay restores data.",
    "audit trail": "Who requested what and when, from which address, by ids, until its "
    "retention ends.",
    "copies that end by themselves": "The databases' oplogs contain removed documents, and the "
    "topics their records, until they are overwritten or their retention ends.",
    "copies that somebody took": "Backups, exports and evidence, until they are deleted; personal "
    "values in a backup can be decrypted until its copy of the child's key is deleted, or the key "
    "that wraps it is retired. Sent alerts are with their receivers.",
}
"""Of every erased child. Nothing else may be left: docs/erasure.md says the same."""

OLDER_REMAINS: Mapping[OlderContent, tuple[str, str]] = {
    OlderContent.PRINTS: (
        "prints of earlier releases",
        "Commits of releases before requests were hashed under the child's own key, and "
        "audit records of that time: with the index key, a guess of a request or of the "
        "bear's device id can be confirmed.",
    ),
    OlderContent.LABELS: (
        "labels of earlier releases",
        "Events of releases before labels were encrypted, in the event store and on the "
        "topics, contain in plaintext: age, topics, violation types, flagged categories, "
        "skills, notice versions.",
    ),
}
"""Of children who have commits of that kind, or may have."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`hash` is that of the commit that erased the child, at `version` of its stream."""

    child_id: str
    version: int
    hash: str
    complete: bool


def receipt_of(child: ErasedChild, now: datetime) -> dict[str, Any]:
    """The statement, before it is signed."""
    return {
        "child_id": child.child_id,
        "erased_at": iso(child.at),
        "by_role": child.by_role,
        "version": child.version,
        "hash": child.hash,
        "complete": not child.missing,
        "removed": [
            {"step": step.value, "what": PLACES[step], "count": done.removed, "at": iso(done.at)}
            for step in ErasureStep
            if (done := child.steps.get(step)) is not None
        ],
        "outstanding": [step.value for step in child.missing],
        "remains": [{"what": what, "why": why} for what, why in _remains(child)],
        "issued_at": iso(now),
    }


def _remains(child: ErasedChild) -> Iterator[tuple[str, str]]:
    yield from REMAINS.items()
    for kind, remaining in OLDER_REMAINS.items():
        if child.older is None or kind in child.older:
            yield remaining


def sign_receipt(signer: StatementSigner, child: ErasedChild, now: datetime) -> str:
    return signer.sign(KIND, receipt_of(child, now))


def open_receipt(verifier: StatementVerifier, text: str) -> Receipt:
    """Raises StatementRefused."""
    content = verifier.open(KIND, text.strip())
    try:
        return Receipt(
            str(content["child_id"]),
            int(content["version"]),
            str(content["hash"]),
            bool(content["complete"]),
        )
    except (KeyError, TypeError, ValueError):
        raise StatementRefused("not a receipt of an erasure") from None
