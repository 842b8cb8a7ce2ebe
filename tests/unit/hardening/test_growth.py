"""Whatever reads outside input does work that grows no faster than the input: or one caller with a
few kilobytes would hold the event loop for everybody."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest

from command_service.api.command_route import RequestKeys
from command_service.child.field_checks import DETAILS, NAME, FieldChecks
from command_service.child.visible_names import is_seen
from query_service.queries.cursors import Cursors
from query_service.queries.query import RequestRefused
from shared.auth.access import Principal, Role
from shared.auth.tokens import key_id_of
from shared.field_wording import JsonRefused, read_json
from shared.http.request_checks import refusal_of
from shared.http.request_context import caller_of
from shared.keyring.search_index import words_of
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


@pytest.mark.parametrize("name", CASES)
def test_reading_takes_no_more_than_in_proportion(name: str):
    work, small = CASES[name]
    assert is_linear(work, small), name


def test_search_words_are_cut_before_they_are_read():
    # the longest text that reaches it: the name of a search, of at most 100 characters
    assert growth(lambda size: words_of("\u0301\u0323" * (size // 2)), 100 // 16) <= 16


def test_what_grows_with_the_square_is_found():
    # or else nothing above could fail
    assert not is_linear(lambda size: [0] * size and sum(1 for _ in range(size * size // 64)), 256)
