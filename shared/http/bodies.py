"""Bodies of requests, for both APIs: read within a time and a size, and as one strict JSON text."""

from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.field_wording import JsonRefused, read_json
from shared.http.admission import admitted
from shared.http.problems import FieldProblem, Problem, ProblemRaised, invalid_request
from shared.tasks import time_limit

MAX_BODY_BYTES = 64 * 1_024
MOST_ERRORS = 1_000

READ_SECONDS = 4.0
"""Longest a body may take: a request that trickles in keeps the connection of another."""


class RequestBody(BaseModel):
    """Types are checked here, limits by the domain; the schema shows both."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


BodyT = TypeVar("BodyT", bound=RequestBody)


async def read_body(request: Request, most_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The request gives its place to others meanwhile: who sends slowly keeps nobody waiting.

    Raises the problem 413 without reading on when the body is too large, 408 when it is late, 503
    when no place is free once it is there.
    """
    body = bytearray()  # a list of what arrived would cost 40 bytes for each that came alone
    with admitted(request).waiting():
        try:
            async with time_limit(READ_SECONDS):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > most_bytes:
                        raise ProblemRaised(body_too_large(most_bytes))
                    body += chunk
        except TimeoutError:
            raise ProblemRaised(_too_slow(READ_SECONDS)) from None
    return bytes(body)


def parse_body(model: type[BodyT], raw: bytes, *, is_read: bool = False) -> BodyT:
    """No body at all is an empty object. `is_read`: it is part of a body that was read strictly.
    Raises the problems 400 and 422."""
    try:
        if raw and not is_read:
            read_json(raw)
        return model.model_validate_json(raw or b"{}")
    except JsonRefused as refused:
        raise ProblemRaised(_invalid_json(str(refused))) from None
    except ValidationError as error:
        if error.error_count() > MOST_ERRORS:
            raise ProblemRaised(_too_many_errors(MOST_ERRORS)) from None
        problems = error.errors(include_url=False, include_input=False)
        if problems[0]["type"] == "json_invalid":
            # what the strict check lets pass and the parser does not
            raise ProblemRaised(_invalid_json("must be JSON without unpaired surrogates")) from None
        raise RequestValidationError(problems) from None


def body_too_large(most_bytes: int) -> Problem:
    limit = f"{most_bytes} bytes"
    problem = FieldProblem("body", f"must not exceed {limit}", limit)
    return Problem(413, "body-too-large", "Body too large", "Send a smaller body.", [problem])


def _invalid_json(must: str) -> Problem:
    detail = "The body is not valid JSON."
    return Problem(400, "invalid-json", "Invalid JSON", detail, [FieldProblem("body", must)])


def _too_many_errors(most: int) -> Problem:
    limit = f"{most} errors"
    problem = FieldProblem("body", f"must not have more than {limit}", limit)
    return invalid_request("Correct the body.", problem)


def _too_slow(seconds: float) -> Problem:
    limit = f"{seconds:g} s"
    problem = FieldProblem("body", f"must arrive within {limit}", limit)
    close = {"Connection": "close"}  # the rest of the body is not waited for
    detail = "Send the body without a pause."
    return Problem(408, "body-too-slow", "Body too slow", detail, [problem], close)
