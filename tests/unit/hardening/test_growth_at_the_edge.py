"""The rest of what reads outside input: paths, headers, parameters, records, settings. See
test_growth.py beside it."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from command_service.api.command_route import RequestKeys
from projection_worker.records import RawRecord, deliver
from query_service.api.parameters import Beginning, Search
from query_service.api.query_route import matches, seconds_to_wait
from shared.auth.access import Principal, Role, is_subject
from shared.auth.keys import KeySetRefused, parse_key_set
from shared.command_line import moment_of
from shared.erasures import ErasureNotice, MalformedErasure
from shared.http.problems import ProblemRaised
from shared.http.request_checks import check_ids, refusal_of
from shared.http.request_context import accepted_id, accepted_traceparent, networks_of, site_of
from shared.read_models.notices import AlertNotice, ChangeNotice, MalformedNotice
from tests.support.growth import TEXTS, Work, is_linear, of_characters, quietly

KEYS, PRINCIPAL = RequestKeys(bytes(32)), Principal("p-1", Role.PARENT)
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
    return KEYS.sent(key, PRINCIPAL, "POST", "/v1/children", b"{}", "")


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


CASES: dict[str, tuple[Work, int]] = (
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


@pytest.mark.parametrize("name", CASES)
def test_reading_takes_no_more_than_in_proportion(name: str):
    work, small = CASES[name]
    assert is_linear(work, small), name
