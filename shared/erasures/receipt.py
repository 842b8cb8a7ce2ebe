"""The receipt of an erasure: what was removed where and when, signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.clock import iso
from shared.keyring.erased_list import ErasedChild, ErasureStep
from shared.proofs.statements import StatementRefused, StatementSigner, StatementVerifier

KIND = "teddy-erasure-receipt"

PLACES: Mapping[ErasureStep, str] = {
    ErasureStep.KEY: "the key that opens the child's personal values, in the database of keys",
    ErasureStep.CLAIMS: "the reservations of the bear's udid and device id, in the event store",
    ErasureStep.SNAPSHOTS: "the sealed snapshot of the child, in the event store",
    ErasureStep.READ_MODELS: "profile, conversations, safety, activity, alerts and search words, "
    "in every generation of the read models",
    ErasureStep.DEAD_LETTERS: "the child's records that were set aside, in the read models",
}

REMAINS: Mapping[str, str] = {
    "events": "Personal values in them are ciphertext that no key opens any more, also in copies. "
    "They stay so that nobody can alter history unseen.",
    "tombstone": "Child id, parent id, and when the child was registered and erased: so that the "
    "family can ask for this receipt, and no replay brings anything back.",
    "audit trail": "Who asked for what and when, by ids; nothing that a name or a value could be "
    "told from.",
}


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
        "remains": [{"what": what, "why": why} for what, why in REMAINS.items()],
        "issued_at": iso(now),
    }


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
