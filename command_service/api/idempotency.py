"""Repeated requests: the `Idempotency-Key` header, and the ids that follow from it."""

import hashlib
import re
import uuid
from typing import Any

import orjson

from shared.auth.principal import Principal
from shared.envelope import Idempotency
from shared.http.problems import FieldProblem, Problem, ProblemRaised

HEADER = "Idempotency-Key"
LIMIT = "8..128 visible ASCII characters"

_ACCEPTED = re.compile(r"[!-~]{8,128}")
_DERIVED_IDS = uuid.UUID("5f0e4a1c-0d0b-5c58-9f53-2f3c3b0d9a61")

DOCUMENTED: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key is answered with the first one's result.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]+$"},
    "example": "9f1c6a52-register-ada",
}


def idempotency_of(
    key: str | None, principal: Principal, method: str, path: str, body: bytes
) -> Idempotency | None:
    """The key, scoped to its caller, with a digest of the request; None without a key.

    Raises the problem 422 for a malformed key.
    """
    if key is None:
        return None
    if not _ACCEPTED.fullmatch(key):
        problem = FieldProblem(HEADER, f"must have {LIMIT}", LIMIT)
        detail = "The idempotency key is malformed."
        raise ProblemRaised(Problem(422, "invalid-request", "Invalid request", detail, [problem]))
    scoped = f"{principal.role.value}\n{principal.subject}\n{key}"
    request = f"{method}\n{path}\n".encode() + _canonical(body)
    return Idempotency(
        key=hashlib.sha256(scoped.encode()).hexdigest(),
        fingerprint=hashlib.sha256(request).hexdigest(),
    )


def derived_id(idempotency: Idempotency, what: str) -> str:
    """The id of a thing that this request makes: the same again when it is repeated.

    The fingerprint takes part: another request under the same key meets nothing of the first.
    """
    name = f"{what}\n{idempotency.key}\n{idempotency.fingerprint}"
    return str(uuid.uuid5(_DERIVED_IDS, name))


def _canonical(body: bytes) -> bytes:
    """The same JSON in another order or spacing is the same request."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body
