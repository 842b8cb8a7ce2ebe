"""Requests that no honest client sends, refused before anybody looks at what they ask; and ids in
paths, of one documented pattern each: whatever else stands there never reaches a handler."""

import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator
from starlette.types import Scope

from shared.auth.access import SUBJECT, SUBJECT_LIMIT, is_subject
from shared.field_wording import refused
from shared.http.problems import (
    UNKNOWN_PARAMETER,
    FieldProblem,
    Problem,
    ProblemRaised,
    invalid_request,
    malformed,
)

MOST_PATH_BYTES = 1_024
MOST_QUERY_BYTES = 4_096
MOST_NAMES = 64
"""Of parameters in a query."""

MOST_HEADERS = 64
MOST_HEADER_BYTES = 16 * 1_024

ONCE = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"consistency-token",
        b"host",
        b"idempotency-key",
        b"transfer-encoding",
    }
)
"""Headers of which two could contradict each other. All that is wrong with `Authorization`
is the caller check's 401."""

OVERRIDES = frozenset(
    {
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-url",
        b"x-rewrite-url",
    }
)
"""Headers by which some frameworks let a request be another than its first line says."""

_LOOKED_AT = OVERRIDES | {b"content-encoding", b"content-length", b"transfer-encoding"}
"""Where none of these is, and no header is given twice, nothing can be wrong with them."""

JSON = re.compile(rb"application/json(\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE)
_AMBIGUOUS = re.compile(rb"//|[\\\x00-\x20\x7f-\xff]|%(?:2f|5c|0[0-9a-f]|1[0-9a-f]|7f)", re.I)
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9:_-]+)+")
_NOT_ENCODED = re.compile(rb"%(?![0-9a-fA-F]{2})")
_DOTS = re.compile(rb"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


def refusal_of(scope: Scope) -> Problem | None:
    """Why a request with this ASGI scope is refused (400, 414, 415, 422 or 431); None when it is
    not.

    What is refused here could be read in two ways: by this process and by a proxy before it, by the
    router and by a handler behind it. The refusal names the part, never its value.
    """
    target = None if _is_plain(scope) else next(_of_target(scope), None)
    return target or next(_of_headers(scope["headers"]), None)


def _is_plain(scope: Scope) -> bool:
    """A target of which `_of_target` would find nothing: letters, digits, hyphens, no query."""
    raw: bytes = scope.get("raw_path") or b""
    is_short = not scope["query_string"] and len(raw) <= MOST_PATH_BYTES
    return is_short and _PLAIN.fullmatch(raw) is not None


def _of_target(scope: Scope) -> Iterator[Problem]:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw.partition(b"?")[0]
    query: bytes = scope["query_string"]
    if len(path) > MOST_PATH_BYTES or len(query) > MOST_QUERY_BYTES:
        yield _too_long()
    elif _AMBIGUOUS.search(path) or _NOT_ENCODED.search(path) or _DOTS.search(path):
        yield _malformed(
            "path", "must contain plain segments: no encoded slash, dots or control characters"
        )
    elif not _is_utf8(path):
        yield _malformed("path", "must be UTF-8, percent-encoded")
    if query:
        yield from _of_query(query)


def _of_query(query: bytes) -> Iterator[Problem]:
    if _NOT_ENCODED.search(query) or not _is_utf8(query):
        yield _malformed("query", "must be UTF-8, percent-encoded")
        return
    if query.count(b"&") >= MOST_NAMES:
        yield _malformed("query", "must contain fewer parameters", f"{MOST_NAMES} parameters")
        return
    names = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    repeated = sorted(name for name, times in names.items() if times > 1)
    if repeated:
        problems = (FieldProblem(name, "must be given once", "once") for name in repeated)
        yield invalid_request("A parameter is given more than once.", *problems)


def _of_headers(headers: list[tuple[bytes, bytes]]) -> Iterator[Problem]:
    size = sum(len(name) + len(value) for name, value in headers if name != b"authorization")
    if len(headers) > MOST_HEADERS or size > MOST_HEADER_BYTES:
        yield _too_many_headers()
        return
    found = dict(headers)
    if len(found) == len(headers) and found.keys().isdisjoint(_LOOKED_AT):
        return
    found.clear()
    for name, value in headers:
        if name in OVERRIDES:
            yield _malformed(name.decode(), "is not supported: send the intended method and path")
        elif name in ONCE and name in found:
            yield _malformed(name.decode(), "must be given once")
        found[name] = value
    if b"content-length" in found and b"transfer-encoding" in found:
        yield _malformed("content-length", "must not be combined with transfer-encoding")
    yield from _of_content(found)


def _of_content(headers: dict[bytes, bytes]) -> Iterator[Problem]:
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        yield _unsupported("content-encoding", "identity", "Send the body without compression.")
    has_body = (
        headers.get(b"content-length", b"0").strip() != b"0" or b"transfer-encoding" in headers
    )
    if has_body and not JSON.fullmatch(headers.get(b"content-type", b"").strip()):
        yield _unsupported("content-type", "application/json", "Send the body as UTF-8 JSON.")


def _is_utf8(encoded: bytes) -> bool:
    plain = re.sub(rb"%([0-9a-fA-F]{2})", lambda found: bytes.fromhex(found[1].decode()), encoded)
    try:
        plain.decode()
    except UnicodeDecodeError:
        return False
    return True


def _malformed(part: str, message: str, limit: str | None = None) -> Problem:
    problem = FieldProblem(part, message, limit)
    return malformed("The request is ambiguous or malformed.", problem)


def _too_long() -> Problem:
    limit = f"{MOST_PATH_BYTES} bytes of path, {MOST_QUERY_BYTES} of query"
    problem = FieldProblem("target", "is too long", limit)
    return Problem(414, "target-too-long", "Target too long", "Send a shorter target.", [problem])


def _too_many_headers() -> Problem:
    limit = f"{MOST_HEADERS} headers, {MOST_HEADER_BYTES} bytes"
    problem = FieldProblem("headers", "are too many or too long", limit)
    return Problem(
        431, "headers-too-large", "Headers too large", "Send fewer or shorter headers.", [problem]
    )


def _unsupported(header: str, limit: str, detail: str) -> Problem:
    problem = FieldProblem(header, f"must be {limit}", limit)
    return Problem(415, "unsupported-media-type", "Unsupported media type", detail, [problem])


class StrictRoute(APIRoute):
    """A route that takes the parameters it declares. A model of parameters forbids others itself;
    this refuses any where none are declared."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.dependant.query_params:
            return handle

        async def without_parameters(request: Request) -> Response:
            refuse_parameters(request)
            return await handle(request)

        return without_parameters


def refuse_parameters(request: Request) -> None:
    """Raises the problem 422 that names every query parameter."""
    query: bytes = request.scope["query_string"]
    if not query:
        return
    names = {name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
    problems = (FieldProblem(name, UNKNOWN_PARAMETER) for name in sorted(names))
    raise ProblemRaised(invalid_request("This resource takes no parameters.", *problems))


_ID = re.compile("[A-Za-z0-9-]{1,64}")
ID_PATTERN = f"^{_ID.pattern}$"
SUBJECT_PATTERN = f"^{SUBJECT}$"
"""A parent's id is what the token issuer calls its subject."""

ID_LIMIT = "1..64 of A-Z a-z 0-9 -"


def is_id(text: str) -> bool:
    """Whether `text` may be an id in a path."""
    return _ID.fullmatch(text) is not None


def _must_be(is_one: Callable[[str], bool], limit: str) -> AfterValidator:
    def check(given: str) -> str:
        if not is_one(given):
            raise refused(f"must be {limit}", limit)
        return given

    return AfterValidator(check)


IS_ID, IS_SUBJECT = _must_be(is_id, ID_LIMIT), _must_be(is_subject, SUBJECT_LIMIT)
IDS, SUBJECTS = {"pattern": ID_PATTERN}, {"pattern": SUBJECT_PATTERN}

ChildId = Annotated[
    str, IS_ID, Path(description="As returned by the registration.", json_schema_extra=IDS)
]
ConversationId = Annotated[
    str, IS_ID, Path(description="Of a conversation of the child.", json_schema_extra=IDS)
]
ViolationId = Annotated[
    str, IS_ID, Path(description="As returned by its report.", json_schema_extra=IDS)
]
ParentId = Annotated[
    str, IS_SUBJECT, Path(description="The parent's subject.", json_schema_extra=SUBJECTS)
]


def check_ids(ids: Mapping[str, str]) -> None:
    """Raises the problem 422 that names each id which is none."""
    wrong = [name for name, value in ids.items() if not is_id(value)]
    if wrong:
        problems = (FieldProblem(name, f"must be {ID_LIMIT}", ID_LIMIT) for name in wrong)
        raise ProblemRaised(invalid_request("The path contains an invalid id.", *problems))
