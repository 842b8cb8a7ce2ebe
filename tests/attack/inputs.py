"""Inputs that have two meanings, more than asked for, or cost more than they weigh; and bytes with
two readings of where a request ends, or where it goes."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

import httpx2
import orjson

from shared.auth.access import Role
from shared.clock import new_id
from tests.attack.row import Answered, Broken, Deed, NotDone, Refused, Request, Row, Wire
from tests.attack.wire import request, send
from tests.attack.world import NEWCOMER, World
from tests.support.consents import CONSENTS
from tests.support.refused_requests import BAD_REQUESTS
from tests.support.waiting import STARTED, eventually

HEAD = (
    b"POST /v1/children HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $bearer\r\n"
    b"Content-Type: application/json\r\n"
)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"\r\n0\r\n\r\n"
HIDDEN = b"GET /v1/commands HTTP/1.1\r\nHost: a\r\n\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n"

BYTES = (
    ("two lengths", HEAD + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + HIDDEN),
    ("a length and chunks", HEAD + b"Content-Length: 5\r\n" + CHUNKED + END + HIDDEN),
    ("a length with a sign", HEAD + b"Content-Length: +2\r\n\r\n{}"),
    ("a length that is two", HEAD + b"Content-Length: 2, 2\r\n\r\n{}"),
    ("a coding of nobody's", HEAD + b"Transfer-Encoding: xchunked\r\n" + END),
    ("chunks by two names", HEAD + b"Transfer-Encoding: chunked, identity\r\n" + END),
    ("a space before a colon", HEAD + b"Content-Length : 2\r\n\r\n{}"),
    ("a folded header", HEAD + b"X-A: b\r\n Content-Length: 2\r\nContent-Length: 0\r\n\r\n"),
    ("a NUL in a header", HEAD + b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}"),
    ("a chunk of a negative size", HEAD + CHUNKED + b"\r\n-1\r\n{}" + END),
    ("two hosts", LIVE + b"Host: b\r\nConnection: close\r\n\r\n"),
    ("no HTTP", b"hello\r\n\r\n"),
    ("a proxy's CONNECT", b"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n"),
    ("40,000 bytes of a header", LIVE + b"X: " + b"a" * 40_000),
    ("2,000 headers", LIVE + b"Connection: close\r\n" + b"X: a\r\n" * 2_000 + b"\r\n"),
)
SMUGGLED: tuple[Row, ...] = (
    *(
        Wire(name, content, NotDone(), caller=NEWCOMER, ci=name.startswith("two"))
        for name, content in BYTES
    ),
    *(
        Request(
            f"{method} with a slash too many, for another host",
            f"{method} /v1/children/",
            NotDone(),
            NEWCOMER,
            "{}",
            headers=("Host: evil.example",),
            ci=True,
        )
        for method in ("POST", "GET")
    ),
    Request(
        "a page of another site",
        "OPTIONS /v1/children",
        NotDone(),
        headers=("Origin: https://evil.example", "Access-Control-Request-Method: GET"),
    ),
)


INVALID_JSON = Refused(400, "invalid-json")
INVALID = Refused(422, "invalid-request")
MALFORMED = Refused(400, "malformed-request")
REST = f'"age": 7, "consents": {orjson.dumps(CONSENTS).decode()}'
NAMED = f'{{"name": %s, "udid": "TEDDY-ODD-$run", {REST}}}'
"""A registration that is good but for its name."""

PREFERRING = f'{{"name": "Bo", "udid": "TEDDY-ODD-$run", {REST}, "preferences": %s}}'
UDID = f'{{"name": "Bo", "udid": %s, {REST}}}'
OF_PEOPLE = f'{{"name": "%s", "udid": "TEDDY-PEOPLE-%s-$run", {REST}}}'
TAKEN = Refused(409, "udid-taken")
NEW = "POST /v1/children"
CHILD = "GET /v1/children/$child"


MARKS, JOINERS, GROWING = "\u0301" * 30_000, "\u200d" * 20_000, "\ufdfa" * 20_000
FIELDS = orjson.dumps({f"field{n}": n for n in range(2_000)}).decode()

MALFORMED_BODIES: Mapping[str, str | bytes] = {
    "a name twice": f'{{"name": "Bo", "name": "Eve", "udid": "TEDDY-ODD-$run", {REST}}}',
    "no number": PREFERRING % '{"a": NaN}',
    "infinity": PREFERRING % '{"a": -Infinity}',
    "a number of 10,000 digits": PREFERRING % ("9" * 10_000),
    "half a surrogate pair": NAMED % r'"\ud800Bo"',
    "not UTF-8": b'{"name": "Bo\xff"}',
    "a byte order mark": "\ufeff{}".encode(),
    "UTF-16": "{}".encode("utf-16"),
    "JSON after JSON": "{}{}",
    "17 levels": PREFERRING % ("[" * 17 + "]" * 17),
}
COSTLY_MALFORMED: Mapping[str, str | bytes] = {
    "60,000 brackets": "[" * 60_000,
    "17 brackets and 32,000 quotes": "[" * 17 + '"' * 32_000,
    "17 brackets and 15,000 quoted ones": "[" * 17 + '"["' * 15_000,
    "17 brackets and 16,000 escaped quotes": "[" * 17 + '"\\' * 16_000,
    "60,000 backslashes": '{"name": "' + "\\" * 60_000,
}
COSTLY: Mapping[str, str | bytes] = {
    "a name of 30,000 marks": (NAMED % f'"Z{MARKS}"').encode(),
    "a name of 20,000 joiners": (NAMED % f'"Z{JOINERS}"').encode(),
    "a name that grows eighteenfold": (NAMED % f'"{GROWING}"').encode(),
    "2,000 preferences": PREFERRING % FIELDS,
}
ODD: Mapping[str, str | bytes] = {
    "an operator for a name": NAMED % '{"$$gt": ""}',
    "a field that is ours": f'{{"name": "Bo", "udid": "TEDDY-ODD-$run", "status": "x", {REST}}}',
    "a name from right to left": (NAMED % '"A\u202eda"').encode(),
    "a name that nobody sees": (NAMED % '"\u2060\u2061"').encode(),
    "a name for private use": (NAMED % '"\ue000Bo"').encode(),
    "a udid in another script": (UDID % '"TEDDY-\u041a\u0410NARI"').encode(),
    "a udid with another hyphen": (UDID % '"TEDDY\u2011KANARI-1"').encode(),
    "a udid with an invisible letter": (UDID % '"TEDDY-KANARI\u200b-1"').encode(),
}


def _bodies(
    bodies: Mapping[str, str | bytes], expected: Refused, *, promised: bool = False
) -> Iterator[Row]:
    for name, body in bodies.items():
        yield Request(name, NEW, expected, NEWCOMER, body, promised=promised, ci=promised)


BODIES: tuple[Row, ...] = (
    *_bodies(MALFORMED_BODIES, INVALID_JSON),
    *_bodies(COSTLY_MALFORMED, INVALID_JSON, promised=True),
    *_bodies(COSTLY, INVALID, promised=True),
    *_bodies(ODD, INVALID),
    Request("a udid in small letters", NEW, TAKEN, NEWCOMER, UDID % '"teddy-kanari-$run"'),
    Request("a body over 64 KiB", NEW, Refused(413, "body-too-large"), NEWCOMER, b" " * 65_537),
)
NAMES: tuple[Row, ...] = tuple(
    Request(
        f"a name that people have: {whose}",
        NEW,
        Answered(of_the_family=True),
        NEWCOMER,
        OF_PEOPLE % (name, number),
    )
    for number, (whose, name) in enumerate(
        (
            ("Irish", "O\u2019Neill"),
            ("decomposed", "Zoe\u0308"),
            ("of three parts", "Anne-Marie d'Arc"),
            (
                "Persian, with a non-joiner",
                "\u0634\u06cc\u0631\u06cc\u0646\u200c\u062f\u062e\u062a",
            ),
            ("Hindi", "\u0926\u0947\u0935\u0940"),
            ("Chinese", "\u5c0f\u718a"),
            ("Hebrew, with points", "\u05e9\u05b8\u05c1\u05e8\u05b8\u05d4"),
        )
    )
)
TYPES: tuple[Row, ...] = tuple(
    Request(
        f"a body as {header}",
        NEW,
        Refused(415, "unsupported-media-type"),
        NEWCOMER,
        "{}",
        headers=(header,),
    )
    for header in (
        "Content-Type: text/plain",
        "Content-Type: application/json; charset=utf-16",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Encoding: gzip",
    )
)


def _tricks() -> Iterator[Row]:
    """Those of tests/support/refused_requests.py, over a real connection."""
    for number, (target, headers, status, code) in enumerate(BAD_REQUESTS):
        lines = tuple(f"{name.decode()}: {value.decode()}" for name, value in headers)
        if any(one.startswith(("content-length", "transfer")) for one in lines):
            continue  # the server's own parser meets these: they are in SMUGGLED
        name = f"{number}: {target[:40]} {' '.join(lines)[:40]}".strip()
        raw = target.encode().decode("latin-1")
        yield Request(name, f"GET {raw}", Refused(status, code), "admin", headers=lines)


ASKED: tuple[Row, ...] = tuple(
    Request(name, sent, expected, "family", headers=headers, promised=promised, ci=promised)
    for name, sent, expected, headers, promised in (
        ("an operator in a query", "GET /v1/children?name[$$ne]=x", INVALID, (), False),
        ("1,364 names in a query", f"{CHILD}?{'a&' * 1_364}", MALFORMED, (), True),
        ("4,000 bytes of a search", f"GET /v1/children?name={'%CC%81' * 600}", INVALID, (), True),
        ("a cursor that nobody signed", "GET /v1/children?cursor=AAAA", INVALID, (), False),
        ("a cursor without end", f"GET /v1/children?cursor={'A' * 4_000}", INVALID, (), True),
        ("a month of 99", f"{CHILD}/safety-report?from=2026-99-01", INVALID, (), False),
        ("the year 10000", f"{CHILD}/safety-report?to=9999-12-31", INVALID, (), False),
        ("a date as a number", f"{CHILD}/safety-report?from=20261101", INVALID, (), False),
        (
            "a date in other digits",
            f"{CHILD}/safety-report?from=%D9%A2026-01-01",
            INVALID,
            (),
            False,
        ),
        ("days without number", f"{CHILD}/analytics?period_days=1e9", INVALID, (), False),
        ("an id in another script", "GET /v1/children/l%D0%B5na", INVALID, (), False),
        ("an id that is too long", f"GET /v1/children/{'a' * 65}", INVALID, (), False),
        ("a token of nobody's making", CHILD, INVALID, ("Consistency-Token: AAAA",), False),
        (
            "an If-None-Match of 8,000 commas",
            CHILD,
            Answered(of_the_family=True),
            (f"If-None-Match: {',' * 8_000}",),
            True,
        ),
        (
            "a Prefer of 8,000 waits",
            CHILD,
            Answered(of_the_family=True),
            (f"Prefer: {'wait=,' * 1_300}",),
            True,
        ),
    )
)


async def _another_s_address(world: World) -> str:
    """Written by the caller itself, 5,000 characters of it."""
    forged = ", ".join(["203.0.113.7"] * 400)
    line = f"Authorization: Bearer {world.bearers['analyst']}"
    asked = request("GET", "/v1/system/analytics", [line, f"X-Forwarded-For: {forged}"])
    await send(world.address("query"), asked)
    shown = await _on_record(world, world.callers["analyst"].subject)
    if "203.0.113.7" in shown:
        raise Broken("the trail says what the caller wrote")
    return "the trail says 127.0.0.1"


async def _markup_for_a_subject(world: World) -> str:
    """Who is called so reads its dashboard, and stands in the table of the trail as it is."""
    subject = f"x[bold]-{new_id()}"
    line = f"Authorization: Bearer {world.new_bearer(Role.PARENT, subject)}"
    child = {"name": "Bo", "age": 7, "udid": f"TEDDY-{new_id()}", "consents": CONSENTS}
    new = request("POST", "/v1/children", [line], orjson.dumps(child))
    registered = await send(world.address("command"), new)
    own = request("GET", f"/v1/parents/{quote(subject)}/children", [line])
    await eventually(
        lambda: send(world.address("query"), own),
        STARTED,
        lambda shown: shown.status == httpx2.codes.OK,
    )
    if subject not in await _on_record(world, subject):
        raise Broken(f"{registered}, and the table shows another subject")
    return "its dashboard is shown, and its subject letter by letter"


async def _on_record(world: World, subject: str) -> str:
    """The table of `teddy audit show`, once something is in it."""
    said = []

    async def is_written() -> bool:
        shown = await world.teddy("audit", "show", "--subject", subject)
        said.append(f"{shown.out}{shown.err}")
        return "RegisterChild" in shown.out or "GetSystemAnalytics" in shown.out

    try:
        await eventually(is_written, STARTED)
    except TimeoutError:
        raise Broken(f"`teddy audit show` says {said[-1][-200:]!r}") from None
    return said[-1]


DEEDS: tuple[Row, ...] = (
    Deed(
        "an address of the caller's making",
        "X-Forwarded-For: 400 addresses",
        "not in the trail, and `teddy audit show` shows it",
        _another_s_address,
    ),
    Deed(
        "markup for a subject",
        "`x[bold]`: dashboard, `teddy audit show`",
        "both work, nothing is read as markup",
        _markup_for_a_subject,
    ),
)
ROWS = (*BODIES, *NAMES, *TYPES, *_tricks(), *ASKED, *SMUGGLED, *DEEDS)
