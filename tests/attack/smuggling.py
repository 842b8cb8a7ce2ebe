"""Bytes with two readings of where a request ends, or where it goes."""

from tests.attack.row import NotDone, Request, Row, Wire
from tests.attack.world import NEWCOMER

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
