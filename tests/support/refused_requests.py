"""Requests that no honest client sends, to either API, and what refuses them."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

Header = tuple[bytes, bytes]
BadRequest = tuple[str, Sequence[Header], int, str]

CHILD = "/v1/children/7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11"
JSON = (b"content-type", b"application/json")

PATHS: Sequence[BadRequest] = [
    (target, (), 400, "malformed-request")
    for target in (
        "/v1/children/a%2Fb",
        "/v1/children/a%5cb",
        "/v1/children/..",
        "/v1/children/%2e%2e/children",
        "/v1/./children",
        "/v1//children",
        "//evil.example/v1/children",
        "/v1/children/a%00b",
        "/v1/children/a%0d%0aSet-Cookie:b",
        "/v1/children/a\\b",
        "/v1/children/%ff",
        "/v1/children/%zz",
        "/v1/children/%ed%a0%80",
        f"{CHILD}?a=%ff",
        f"{CHILD}?a=%",
        f"{CHILD}?" + "&".join(f"a{n}" for n in range(65)),
        f"{CHILD}?" + "&" * 64,
    )
]
LONG: Sequence[BadRequest] = [
    ("/v1/children/" + "a" * 1_025, (), 414, "target-too-long"),
    (f"{CHILD}?a=" + "a" * 4_096, (), 414, "target-too-long"),
    (CHILD, [(b"x-filler", b"a" * 16_384)], 431, "headers-too-large"),
    (CHILD, [(b"x-filler", b"a")] * 65, 431, "headers-too-large"),
]
HEADERS: Sequence[BadRequest] = [
    (CHILD, headers, 400, "malformed-request")
    for headers in (
        [(b"host", b"a"), (b"host", b"b")],
        [(b"content-length", b"0"), (b"content-length", b"1")],
        [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")],
        [(b"idempotency-key", b"a" * 8), (b"idempotency-key", b"b" * 8)],
        [(b"x-http-method-override", b"DELETE")],
        [(b"x-original-url", b"/v1/cache")],
    )
]
BODIES: Sequence[BadRequest] = [
    (CHILD, [(b"content-length", b"2"), *headers], 415, "unsupported-media-type")
    for headers in (
        (),
        [(b"content-type", b"text/plain")],
        [(b"content-type", b"application/json; charset=utf-16")],
        [(b"content-type", b"application/x-www-form-urlencoded")],
        [JSON, (b"content-encoding", b"gzip")],
    )
]
QUERIES: Sequence[BadRequest] = [
    (target, (), 422, "invalid-request")
    for target in (f"{CHILD}?a=1&a=2", f"{CHILD}/analytics?period_days=7&period_days=8")
]
BAD_REQUESTS = (*PATHS, *LONG, *HEADERS, *BODIES, *QUERIES)


async def asked(
    app: FastAPI, method: str, target: str, headers: Sequence[Header]
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to exactly these bytes: no client tidies them up."""
    path, _, query = target.partition("?")
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8"),
        "query_string": query.encode(),
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 1),
        "server": ("api", 80),
        "state": {},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    reported = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], reported, b"".join(each.get("body", b"") for each in sent[1:])
