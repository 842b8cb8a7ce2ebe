"""Repeated requests: the `Idempotency-Key` header, and the ids that follow from it."""

import hmac
import re
import uuid
from typing import Any

import orjson

from command_service.sent_request import SentRequest
from shared.auth.principal import Principal, Role
from shared.http.problems import FieldProblem, Problem, ProblemRaised

HEADER = "Idempotency-Key"
LIMIT = "8..128 visible ASCII characters"

_ACCEPTED = re.compile(r"[!-~]{8,128}")
_DERIVED_IDS = uuid.UUID("5f0e4a1c-0d0b-5c58-9f53-2f3c3b0d9a61")
_KEY_BYTES = 16

DOCUMENTED: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key is answered with the first one's result, "
    "also where nothing had to change. Another request with the key is refused. Choose it at "
    "random, e.g. a UUID: a hash of it is kept for ever. Once the child is erased, a repetition is "
    "refused as every command about it is; that of the erasure itself is answered.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]+$"},
    "example": "9f1c6a52-8f0e-4f4e-9d55-7d1c1f2b3a60",
}


class RequestKeys:
    """Idempotency keys as they are stored: `k-` and 128 bits of an HMAC-SHA-256 in hex, so that
    callers never meet each other's keys, and nobody can tell them without the index key."""

    def __init__(self, index_key: bytes) -> None:
        self._key = hmac.digest(index_key, b"request key", "sha256")

    def sent(
        self, key: str | None, principal: Principal, method: str, path: str, body: bytes, child: str
    ) -> SentRequest | None:
        """The request with its key; None without one. `child`: its id in the path, or nothing.

        Raises the problem 422 for a malformed key.
        """
        if key is None:
            return None
        if not _ACCEPTED.fullmatch(key):
            problem = FieldProblem(HEADER, f"must have {LIMIT}", LIMIT)
            detail = "The idempotency key is malformed."
            invalid = Problem(422, "invalid-request", "Invalid request", detail, [problem])
            raise ProblemRaised(invalid)
        return SentRequest(
            key=self.stored(key, principal, child),
            content=f"{method}\n{path}\n".encode() + _canonical(body),
            as_sent=(principal.role.value, principal.subject, key),
        )

    def stored(self, key: str, principal: Principal, child: str) -> str:
        """`key` scoped to its caller. A bear's id is its child's own, so its keys are scoped to the
        child: they stay when that is erased."""
        caller = child if principal.role is Role.DEVICE else principal.subject
        scoped = f"{principal.role.value}\n{caller}\n{key}".encode()
        return f"k-{hmac.digest(self._key, scoped, 'sha256')[:_KEY_BYTES].hex()}"


def derived_id(request: SentRequest, what: str) -> str:
    """The id of a thing that this request makes: the same again when it is repeated.

    Of the key alone, for ids are kept for ever and a request may be guessed. Another request under
    the key has the same id, meets the first one, and is refused.
    """
    return str(uuid.uuid5(_DERIVED_IDS, f"{what}\n{request.key}"))


def _canonical(body: bytes) -> bytes:
    """The same JSON in another order or spacing is the same request."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body
