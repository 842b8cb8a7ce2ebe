"""Whatever reads outside input does work that grows no faster than the input: or one caller with a
few kilobytes would hold the event loop for everybody."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from command_service.api.command_route import RequestKeys
from command_service.child.field_checks import FieldChecks
from command_service.child.limits import DETAILS, NAME
from command_service.child.visible_names import is_seen
from projection_worker.records import RawRecord, deliver
from query_service.api.parameters import Beginning, Search
from query_service.api.query_route import matches, seconds_to_wait
from query_service.queries.cursors import Cursors
from query_service.queries.query import RequestRefused
from shared.auth.access import Principal, Role, is_subject
from shared.auth.keys import KeySetRefused, parse_key_set
from shared.auth.tokens import key_id_of
from shared.command_line import moment_of
from shared.erasures.topic import ErasureNotice, MalformedErasure
from shared.field_wording import JsonRefused, read_json
from shared.http.client_address import caller_of, networks_of, site_of
from shared.http.correlation import accepted_id, accepted_traceparent
from shared.http.problems import ProblemRaised
from shared.http.request_checks import check_ids, refusal_of
from shared.keyring.search_index import words_of
from shared.read_models.notices import AlertNotice, ChangeNotice, MalformedNotice
from shared.signing import ConsistencyTokens, SignatureRefused
from tests.support.growth import (
    TEXTS,
    Work,
    growth,
    is_linear,
    nested_quotes,
    of_characters,
    quietly,
)
from tests.support.tokens import base64url

KEY = bytes(32)
JSON = b"application/json;"
CHARACTERS = {
    "letters": "a",
    "combining marks": "\u0301",
    "marks in the wrong order": "\u0301\u0323",
    "Hangul letters": "\u1112\u1161\u11ab",
    "what grows eighteenfold": "\ufdfa",
    "spaces": " ",
    "zero-width characters": "\u200b",
    "half surrogates": "\ud800",
}


def query(make: Callable[[int], str]) -> Work:
    def work(size: int) -> object:
        scope = {"path": "/v1/children", "query_string": make(size).encode(), "headers": []}
        return refusal_of(scope)

    return work


QUERIES = {
    "different names": query(lambda size: "&".join(f"a{n}=" for n in range(size // 6))),
    "one name": query(lambda size: "a=1&" * (size // 4)),
    "percent": query(lambda size: "a=" + "%41" * (size // 3)),
    "percent and nothing": query(lambda size: "a=" + "%" * size),
    "a long value": query(lambda size: "a=" + "b" * size),
}


def header(name: bytes, make: Callable[[int], bytes]) -> Work:
    def work(size: int) -> object:
        scope = {"path": "/", "query_string": b"", "headers": [(name, make(size))]}
        return refusal_of(scope)

    return work


HEADERS = {
    "content type": header(b"content-type", lambda size: b"application/json" + b" " * size + b";"),
    "content type of many": header(
        b"content-type", lambda size: b"application/json;" * (size // 17)
    ),
    "content encoding": header(b"content-encoding", lambda size: b" " * size),
}


def of_texts(make: Callable[[int], bytes]) -> Work:
    return lambda size: quietly(JsonRefused, read_json, make(size))


FIELDS: dict[str, Callable[[str], object]] = {
    "name": lambda text: FieldChecks().name("name", text, NAME),
    "name, each character": is_seen,
    "udid": lambda text: FieldChecks().udid("udid", text),
    "label": lambda text: FieldChecks().label("topic", text),
    "details": lambda text: FieldChecks().text("details", text, DETAILS),
    "uuid": lambda text: FieldChecks().uuid("id", text),
    "preferences": lambda text: FieldChecks().preferences("preferences", {"a": text}),
}

LOOPBACK = (ip_network("127.0.0.0/8"),)
REQUEST_KEYS, PRINCIPAL = RequestKeys(KEY), Principal("p-1", Role.PARENT)


def _print(body: bytes) -> object:
    return REQUEST_KEYS.sent("k" * 8, PRINCIPAL, "POST", "/v1/children", body, "")


def _forwarded(size: int) -> object:
    return caller_of("127.0.0.1, " * (size // 11), LOOPBACK)


def _read_cursor(cursor: str) -> object:
    return Cursors(KEY, "alerts").read(cursor, "parent-1")


OTHERS: dict[str, Work] = {
    "header of a token": lambda size: quietly(
        ValueError, key_id_of, f"{base64url(nested_quotes(size))}.e30.AAAA"
    ),
    "claims of a token": lambda size: quietly(
        ValueError, key_id_of, f"e30.{base64url(nested_quotes(size))}.AAAA"
    ),
    "dots of a token": lambda size: quietly(ValueError, key_id_of, "a." * (size // 2)),
    "cursor": lambda size: quietly(RequestRefused, _read_cursor, "a" * size),
    "consistency token": lambda size: quietly(
        SignatureRefused, ConsistencyTokens(KEY).read, "a" * size
    ),
    "forwarded addresses": _forwarded,
    "print of a request": lambda size: _print(b'{"a":' * (size // 5)),
    "print of a number": lambda size: _print(b"1" * size),
}

CASES = (
    {f"JSON: {name}": (of_texts(make), 4_096) for name, make in TEXTS.items()}
    | {
        f"{field}: {name}": (of_characters(check, characters), 4_080)
        for field, check in FIELDS.items()
        for name, characters in CHARACTERS.items()
    }
    | {f"query: {name}": (work, 256) for name, work in QUERIES.items()}
    | {f"header: {name}": (work, 1_024) for name, work in HEADERS.items()}
    | {name: (work, 1_024) for name, work in OTHERS.items()}
)


def test_search_words_are_cut_before_they_are_read():
    # the longest text that reaches it: the name of a search, of at most 100 characters
    assert growth(lambda size: words_of("\u0301\u0323" * (size // 2)), 100 // 16) <= 16


def test_what_grows_with_the_square_is_found():
    # or else nothing above could fail
    assert not is_linear(lambda size: [0] * size and sum(1 for _ in range(size * size // 64)), 256)


MOMENT: TypeAdapter[Any] = TypeAdapter(Beginning)
TRACE = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def path(make: Callable[[int], bytes]) -> Work:
    def work(size: int) -> object:
        raw = b"/v1/children/" + make(size)
        return refusal_of({"path": "/", "raw_path": raw, "query_string": b"", "headers": []})

    return work


PATHS = {
    "percent": path(lambda size: b"%41" * (size // 3)),
    "percent and nothing": path(lambda size: b"%" * size),
    "dots": path(lambda size: b"../" * (size // 3)),
    "marks in UTF-8": path(lambda size: b"%cc%81" * (size // 6)),
    "slashes": path(lambda size: b"/" * size),
}

EDGE: dict[str, Callable[[str], object]] = {
    "correlation id": lambda text: accepted_id([text]),
    "traceparent": lambda text: accepted_traceparent([text]),
    "traceparent with more": lambda text: accepted_traceparent([f"{TRACE}-{text}"]),
    "idempotency key": lambda text: quietly(ProblemRaised, _keyed, text),
    "id in a path": lambda text: quietly(ProblemRaised, check_ids, {"child_id": text}),
    "parent in a path": is_subject,
    "date": lambda text: quietly(ValidationError, MOMENT.validate_python, text),
    "date with a fraction": lambda text: quietly(
        ValidationError, MOMENT.validate_python, f"2026-11-23T12:00:00.{text}"
    ),
    "Prefer": seconds_to_wait,
    "If-None-Match": lambda text: matches(text, '"etag"'),
    "search term": lambda text: quietly(ValidationError, Search.model_validate, {"name": text}),
    "time on a command line": moment_of,
    "networks of a setting": lambda text: quietly(ValueError, networks_of, text),
    "address of a caller": site_of,
}
EDGE_TEXTS = {
    "letters": "a",
    "digits": "1",
    "hyphens": "-",
    "commas": ",",
    "quotes": '"',
    "spaces": " ",
    "waits": ",wait = ",
    "colons": ":",
    "marks": "\u0301\u0323",
}


def _keyed(key: str) -> object:
    return REQUEST_KEYS.sent(key, PRINCIPAL, "POST", "/v1/children", b"{}", "")


def record(make: Callable[[int], tuple[bytes, tuple[tuple[str, bytes], ...]]]) -> Work:
    def work(size: int) -> object:
        value, headers = make(size)
        return deliver(RawRecord("child.events", 0, 0, b"k" * size, value, headers))

    return work


RECORDS = {
    "value": record(lambda size: (b"[" * size, ())),
    "headers": record(lambda size: (b"", tuple((f"h{n}", b"") for n in range(size // 8)))),
    "version": record(lambda size: (b"", (("ce_type", b"a.v" + b"1" * size),))),
    "type": record(lambda size: (b"", (("ce_type", b".v" * (size // 2)),))),
}
NOTICES = {
    "change": lambda text: quietly(MalformedNotice, ChangeNotice.from_json, text),
    "alert": lambda text: quietly(MalformedNotice, AlertNotice.from_json, text),
    "erasure": lambda text: quietly(MalformedErasure, ErasureNotice.from_json, text),
    "key set": lambda text: quietly(KeySetRefused, parse_key_set, text),
}


def of_bytes(read: Callable[[bytes], object], make: Callable[[int], bytes]) -> Work:
    return lambda size: read(make(size))


EDGE_CASES: dict[str, tuple[Work, int]] = (
    {f"path: {name}": (work, 60) for name, work in PATHS.items()}
    | {
        f"{what}: {name}": (of_characters(check, characters), 1_020)
        for what, check in EDGE.items()
        for name, characters in EDGE_TEXTS.items()
    }
    | {f"record's {name}": (work, 4_096) for name, work in RECORDS.items()}
    | {
        f"{what}, {name}": (of_bytes(read, make), 4_096)
        for what, read in NOTICES.items()
        for name, make in TEXTS.items()
    }
)


@pytest.mark.parametrize("name", CASES | EDGE_CASES)
def test_reading_takes_no_more_than_in_proportion(name: str):
    work, small = (CASES | EDGE_CASES)[name]
    assert is_linear(work, small), name
