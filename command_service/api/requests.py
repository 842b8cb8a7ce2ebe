"""What a request brings: its body, in strict types and in time, and its idempotency key."""

import asyncio
import hmac
import re
import uuid
from typing import Any, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError

from command_service.bus.command_bus import SentRequest
from command_service.child.limits import Limit
from shared.auth.principal import SUBJECT, Principal, Role
from shared.field_wording import JsonRefused, read_json
from shared.http.admission import admitted
from shared.http.problems import FieldProblem, Problem, ProblemRaised

MAX_BODY_BYTES = 64 * 1_024

READ_SECONDS = 4.0
"""Longest a body may take: a request that trickles in keeps the connection of another."""


IDEMPOTENCY_HEADER = "Idempotency-Key"
KEY_LIMIT = "8..128 visible ASCII characters"

_ACCEPTED = re.compile(r"[!-~]{8,128}")
_DERIVED_IDS = uuid.UUID("5f0e4a1c-0d0b-5c58-9f53-2f3c3b0d9a61")
_KEY_BYTES = 16

IDEMPOTENCY_PARAMETER: dict[str, Any] = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key gets the first result, also if "
    "nothing changed. A different request with the key is refused. Choose it "
    "at random, e.g. a UUID: a hash of it is stored permanently. Once the "
    "child is erased, a repetition is refused like every command about it; a "
    "repetition of the erasure itself is answered.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]+$"},
    "example": "9f1c6a52-8f0e-4f4e-9d55-7d1c1f2b3a60",
}


class RequestBody(BaseModel):
    """Types are checked here, limits by the domain; the schema shows both."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


BodyT = TypeVar("BodyT", bound=RequestBody)


def between(limit: Limit) -> dict[str, Any]:
    """JSON schema of a number's limit."""
    return {"minimum": limit.minimum, "maximum": limit.maximum}


def sized(limit: Limit) -> dict[str, Any]:
    """JSON schema of a text's limit, in characters after trimming."""
    return {"minLength": limit.minimum, "maxLength": limit.maximum}


def optional(limit: Limit, *, least: int | None = None) -> dict[str, Any]:
    """JSON schema of a text that may be null. `least`: where fewer characters mean none."""
    lengths = sized(limit) | ({} if least is None else {"minLength": least})
    return {"anyOf": [{"type": "string", **lengths}, {"type": "null"}]}


SUBJECT_OR_NULL: dict[str, Any] = {
    "anyOf": [{"type": "string", "pattern": f"^{SUBJECT}$"}, {"type": "null"}]
}
"""JSON schema of a parent's or bear's id."""

UUID: dict[str, Any] = {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
"""JSON schema of an id that the caller may choose."""


def entries(limit: Limit, of: Limit) -> dict[str, Any]:
    """JSON schema of a list's limit and that of its texts."""
    return {
        "minItems": limit.minimum,
        "maxItems": limit.maximum,
        "items": {"type": "string", **sized(of)},
    }


async def read_body(request: Request) -> bytes:
    """The request gives its place to others meanwhile: who sends slowly keeps nobody waiting.

    Raises the problem 413 without reading on when the body is too large, 408 when it is late, 503
    when no place is free once it is there.
    """
    with admitted(request).waiting():
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await _read(request)
        except TimeoutError:
            raise ProblemRaised(_too_slow()) from None


async def _read(request: Request) -> bytes:
    body = bytearray()  # a list of what arrived would cost 40 bytes for each that came alone
    async for chunk in request.stream():
        if len(body) + len(chunk) > MAX_BODY_BYTES:
            raise ProblemRaised(_too_large())
        body += chunk
    return bytes(body)


def parse_body(model: type[BodyT], raw: bytes) -> BodyT:
    """No body at all is an empty object. Raises the problems 400 and 422."""
    try:
        read_json(raw or b"{}")
        return model.model_validate_json(raw or b"{}")
    except JsonRefused as refused:
        raise ProblemRaised(_invalid_json(str(refused))) from None
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        if problems[0]["type"] == "json_invalid":
            # what the strict check lets pass and the parser does not
            raise ProblemRaised(_invalid_json("must be JSON without unpaired surrogates")) from None
        raise RequestValidationError(problems) from None


def _invalid_json(what: str) -> Problem:
    detail = "The body is not valid JSON."
    return Problem(400, "invalid-json", "Invalid JSON", detail, [FieldProblem("body", what)])


def _too_large() -> Problem:
    limit = f"{MAX_BODY_BYTES} bytes"
    problem = FieldProblem("body", f"must not exceed {limit}", limit)
    return Problem(413, "body-too-large", "Body too large", "Send a smaller body.", [problem])


def _too_slow() -> Problem:
    limit = f"{READ_SECONDS:g} s"
    problem = FieldProblem("body", f"must arrive within {limit}", limit)
    detail = "Send the body without a pause."
    close = {"Connection": "close"}  # the rest of the body is not waited for
    return Problem(408, "body-too-slow", "Body too slow", detail, [problem], close)


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
            problem = FieldProblem(IDEMPOTENCY_HEADER, f"must have {KEY_LIMIT}", KEY_LIMIT)
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
