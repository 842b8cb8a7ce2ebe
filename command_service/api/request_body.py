"""How request bodies are read: strict types, no unknown fields, at most 64 KiB, in time."""

import asyncio
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError

from command_service.domain.child.limits import Limit
from shared.http.problems import FieldProblem, Problem, ProblemRaised
from shared.strict_json import JsonRefused, read_json
from shared.subjects import SUBJECT

MAX_BODY_BYTES = 64 * 1_024

READ_SECONDS = 4.0
"""Longest a body may take: a request that trickles in keeps the place of another."""


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
    """Raises the problem 413 without reading on when the body is too large, 408 when it is late."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _read(request)
    except TimeoutError:
        raise ProblemRaised(_too_slow()) from None


async def _read(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ProblemRaised(_too_large())
        chunks.append(chunk)
    return b"".join(chunks)


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
            raise ProblemRaised(_invalid_json("must be JSON of whole characters")) from None
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
