"""Correlation: every request has an id that its events, logs and errors carry.

It stands there in clear and stays when a child is erased. So a caller's id counts only in a form
that holds no words: a UUID (RFC 9562) or a trace id (W3C Trace Context, 32 hexadecimal digits). Any
other is replaced, never refused: a proxy's odd id must not silence a safety report.
"""

import re
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Scope

from shared.clock import NewId

HEADER = "Correlation-Id"
TRACEPARENT = "traceparent"
_ACCEPTED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})"
    r"-(?P<trace>(?!0{32})[0-9a-f]{32})"
    r"-(?P<parent>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_NOTHING = frozenset("0-")
_KNOWN_FLAGS = 0b11
"""Sampled, and random trace id."""

PARAMETERS: tuple[dict[str, Any], ...] = (
    {
        "name": HEADER,
        "in": "header",
        "description": "Identifies the request: a UUID, or a W3C trace id (32 hexadecimal "
        "digits). Any other value is replaced by a new UUID.",
        "schema": {"type": "string"},
        "example": "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11",
    },
    {
        "name": TRACEPARENT,
        "in": "header",
        "description": "W3C Trace Context; ignored unless valid.",
        "schema": {"type": "string"},
        "example": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
)
ANSWERED: dict[str, Any] = {
    "description": "The id of the request in logs, events and the audit trail: the caller's "
    "in lower case, or a new UUID.",
    "schema": {"type": "string", "pattern": f"^({_ACCEPTED.pattern})$"},
}


def correlate(scope: Scope, new_id: NewId) -> str:
    """The request's id: the caller's `Correlation-Id`, or a new one. From now on the request's
    state and the logs know it, and its state the `traceparent`."""
    headers = Headers(scope=scope)
    correlation_id = accepted_id(headers.getlist(HEADER)) or new_id()
    state = scope.setdefault("state", {})
    state["correlation_id"] = correlation_id
    state["traceparent"] = accepted_traceparent(headers.getlist(TRACEPARENT))
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
    return correlation_id


def describe_correlation(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document what each operation takes and answers of it."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.setdefault("parameters", []).extend(PARAMETERS)
            for response in operation["responses"].values():
                response["headers"] = {**response.get("headers", {}), HEADER: ANSWERED}


def accepted_id(offered: Sequence[str]) -> str | None:
    """The id that a request's `Correlation-Id` headers offer, in lower case. None where it is no
    UUID or trace id, is all zeros, or there is not one header."""
    lower = offered[0].lower() if len(offered) == 1 else ""
    is_one = _ACCEPTED.fullmatch(lower) and not _NOTHING.issuperset(lower)
    return lower if is_one else None


def accepted_traceparent(offered: Sequence[str]) -> str | None:
    """What a request's `traceparent` headers offer, as version 00 writes it. None where there is
    not one, or it is not valid by W3C Trace Context. Of a version to come only the fields are taken
    that version 00 has: what follows them is anybody's text."""
    found = _TRACEPARENT.fullmatch(offered[0]) if len(offered) == 1 else None
    if found is None or (found["version"] == "00" and found["more"] is not None):
        return None
    flags = int(found["flags"], 16) & _KNOWN_FLAGS
    return f"00-{found['trace']}-{found['parent']}-{flags:02x}"


def correlation_id_of(request: Request) -> str:
    return str(getattr(request.state, "correlation_id", ""))


def traceparent_of(request: Request) -> str | None:
    traceparent: str | None = getattr(request.state, "traceparent", None)
    return traceparent
