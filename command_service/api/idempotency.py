"""Repeated requests: the `Idempotency-Key` header, and the ids that follow from it."""

import hashlib
import hmac
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
    "description": "A repeated request with the same key is answered with the first one's result, "
    "also where nothing had to change. Another request with the key is refused.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]+$"},
    "example": "9f1c6a52-register-ada",
}


class RequestPrints:
    """Tells whether two requests are the same. A print is kept with the commit for ever, so it is a
    keyed digest (HMAC-SHA-256): what a child is called cannot be found by guessing."""

    def __init__(self, index_key: bytes) -> None:
        self._key = hmac.digest(index_key, b"request print", "sha256")

    def of(
        self, key: str | None, principal: Principal, method: str, path: str, body: bytes
    ) -> Idempotency | None:
        """The key, scoped to its caller, with the print of the request; None without a key.

        Raises the problem 422 for a malformed key.
        """
        if key is None:
            return None
        if not _ACCEPTED.fullmatch(key):
            problem = FieldProblem(HEADER, f"must have {LIMIT}", LIMIT)
            detail = "The idempotency key is malformed."
            invalid = Problem(422, "invalid-request", "Invalid request", detail, [problem])
            raise ProblemRaised(invalid)
        request = f"{method}\n{path}\n".encode() + _canonical(body)
        fingerprint = hmac.digest(self._key, request, "sha256").hex()
        return Idempotency(scoped_key(key, principal), fingerprint)


def scoped_key(key: str, principal: Principal) -> str:
    """Callers never meet each other's keys."""
    scoped = f"{principal.role.value}\n{principal.subject}\n{key}"
    return hashlib.sha256(scoped.encode()).hexdigest()


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
