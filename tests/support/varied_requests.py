"""Requests of many kinds to both APIs, and what each answers: to compare two ways of answering."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from shared.auth.access import Principal, Role

LENA, MIA = "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11", "0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f"
CALLERS: dict[str, Principal] = {
    "parent": Principal("weiss", Role.PARENT),
    "other parent": Principal("braun", Role.PARENT),
    "bear": Principal("bear-7", Role.DEVICE),
    "officer": Principal("officer-1", Role.SAFETY_OFFICER),
    "analyst": Principal("analyst-1", Role.ANALYST),
    "admin": Principal("admin-1", Role.ADMIN),
}
QUERY_PATHS = (
    f"/v1/children/{LENA}",
    f"/v1/children/{MIA}",
    "/v1/children/nobody",
    f"/v1/children/{LENA}/",
    f"/v1/children/{LENA}?days=3",
    f"/v1/children/{LENA}/analytics",
    f"/v1/children/{LENA}/analytics?period_days=7",
    f"/v1/children/{LENA}/analytics?period_days=0&other=1",
    f"/v1/children/{LENA}/analytics?period_days=7&period_days=8",
    f"/v1/children/{LENA}/safety-report?from=2026-11-01&to=2026-11-30&limit=2",
    f"/v1/children/{LENA}/safety-report?from=yesterday&limit=0&cursor=x",
    f"/v1/children/{LENA}/conversations?limit=201",
    f"/v1/children/{LENA}/consents?limit=2",
    f"/v1/children/{LENA}/consents?limit=0&cursor=x",
    f"/v1/children/{LENA}/erasure-receipt",
    f"/v1/children/{LENA}/audit-records",
    f"/v1/children/{LENA}/audit-records?limit=0&cursor=x",
    f"/v1/children/{LENA}/safety-violations/{MIA}/evidence",
    f"/v1/children/{LENA}/export",
    f"/v1/children/{LENA}/export/more",
    "/v1/children/no%20id?limit=1",
    "/v1/children/no_id/analytics?period_days=0",
    "/v1/children/%7Bchild_id%7D",
    "/v1/children/a%2Fb",
    "/v1/children/..",
    "/v1//children",
    "/v1/children",
    "/v1/children?limit=1&name=Len",
    "/v1/children?limit=x&unknown=1",
    "/v1/children/",
    "/v1/parents/weiss/children",
    "/v1/parents/braun/children",
    "/v1/parents/weiss/alerts?limit=2",
    "/v1/parents/weiss/nothing",
    "/v1/system/analytics",
    "/v1/system/analytics?a=1",
    "/v1/system/operations",
    "/v1/system/requests",
    "/v1/system/requests?a=1",
    "/v1/system/processes",
    "/v1/system/protection",
    "/v1/system/series?to=2026-11-01",
    "/v1/system/series?from=2026-11-02&to=2026-11-01",
    "/v1/sql",
    "/v1/sql?sql=1",
    "/v1/sql/tables",
    "/v1/queries",
    "/v1/cache",
    "/v1/commands:batch",
    "/v1",
    "/v1x/children",
    "/health/live",
    "/openapi.json",
    f"/v1/children/{'x' * 1_100}",
)
HEADERS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("If-None-Match", "*"),),
    (("If-None-Match", 'W/"a", "b"'), ("If-None-Match", "*")),
    (("Consistency-Token", "forged"),),
    (("Prefer", "wait=0"),),
    (("Correlation-Id", "A" * 32),),
    (("Correlation-Id", "my name"), ("traceparent", "00-x")),
    (("X-Forwarded-For", "192.0.2.7, 10.0.0.9"),),
    (("X-HTTP-Method-Override", "DELETE"),),
    (("Content-Length", "0"), ("Content-Type", "text/plain")),
    (("Content-Encoding", "gzip"),),
    (("Cookie", "x" * 17_000),),
    tuple((f"X-{number}", "y") for number in range(70)),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get")
COMMANDS: tuple[tuple[str, str, bytes], ...] = (
    ("POST", "/v1/children", b'{"name": "Ada"}'),
    ("POST", "/v1/children", b"{"),
    ("POST", "/v1/children", b"[" * 70_000),
    ("POST", "/v1/children?a=1", b"{}"),
    ("PATCH", f"/v1/children/{LENA}/profile", b'{"age": 8}'),
    ("PATCH", "/v1/children/no_id/profile", b'{"age": 8}'),
    ("POST", f"/v1/children/{LENA}/profile", b'{"age": 8}'),
    ("POST", f"/v1/children/{LENA}/conversations", b"{}"),
    ("POST", f"/v1/children/{LENA}/conversations/{MIA}/messages", b'{"role": "bear"}'),
    ("POST", f"/v1/children/{LENA}/conversations//messages", b"{}"),
    ("POST", f"/v1/children/{LENA}/safety-violations", b'{"type": "content", "severity": "high"}'),
    ("POST", f"/v1/children/{LENA}/deactivation", b'{"reason": "away"}'),
    ("DELETE", f"/v1/children/{LENA}", b""),
    ("GET", f"/v1/children/{LENA}", b""),
    ("HEAD", "/v1/commands", b""),
    ("GET", "/v1/commands", b""),
    ("GET", "/v1/system/requests", b""),
    ("POST", "/v1/operations", b'{"kind": "rebuild", "models": ["safety"]}'),
    ("POST", "/v1/operations", b'{"kind": "reboot"}'),
    ("POST", "/v1/commands:batch", b'{"commands": []}'),
    ("POST", "/v1/commands:batch", b"{}"),
    ("POST", "/v1/nothing", b"{}"),
)


@dataclass(frozen=True)
class Varied:
    """`caller`: a name of the tokens that are sent, each as a header of its own."""

    method: str
    path: str
    callers: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def varied_queries(tokens: Sequence[str]) -> Iterator[Varied]:
    """Each path with each of `tokens`; each method, and all kinds of headers, where they matter."""
    for path in QUERY_PATHS:
        yield from (Varied("GET", path, (token,)) for token in tokens)
        yield from (Varied(method, path, ("parent",)) for method in METHODS)
        yield Varied("HEAD", path, ())
        yield Varied("GET", path, ("parent", "parent"))
    for path in QUERY_PATHS[:2]:
        yield from (Varied("GET", path, ("parent",), headers) for headers in HEADERS)


def varied_commands(tokens: Sequence[str]) -> Iterator[Varied]:
    """Each of them with each of `tokens`, and twice under one idempotency key."""
    json = (("Content-Type", "application/json"),)
    for method, path, body in COMMANDS:
        for token in tokens:
            yield Varied(method, path, (token,), json, body)
        keyed = (*json, ("Idempotency-Key", "the same key"), ("Correlation-Id", "b" * 32))
        yield Varied(method, path, ("admin",), keyed, body)
        yield Varied(method, path, ("admin",), (("Content-Type", "text/plain"),), body)


_NEW = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|bear-[0-9a-f]{16}|[0-9a-f]{32}")
_DIFFERENT = (b"age", b"consistency-token", b"etag")
_OF_THE_MOMENT = frozenset({"/openapi.json", "/v1/system/requests"})
"""Paths whose answers are others each time, and of other lengths."""


async def answers_of(
    app: FastAPI, requests: Sequence[Varied], tokens: dict[str, str]
) -> list[dict[str, Any]]:
    """Status, headers and body of each, without what is another each time."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False, client=("10.0.0.1", 5_000))
    answers = []
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        for each in requests:
            authorization = [("Authorization", tokens[name]) for name in each.callers]
            answer = await client.request(
                each.method, each.path, headers=[*authorization, *each.headers], content=each.body
            )
            changes = each.path in _OF_THE_MOMENT
            different = (*_DIFFERENT, b"content-length") if changes else _DIFFERENT
            raw = [(k.lower(), b"" if k.lower() in different else v) for k, v in answer.headers.raw]
            heads = sorted((k, _NEW.sub(b"ID", v)) for k, v in raw)
            body = b"" if changes else _NEW.sub(b"ID", answer.content)
            answers.append({"status": answer.status_code, "headers": heads, "body": body})
    return answers


def counted(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """What the metrics of this project count; no times."""
    return {
        (sample.name, str(sorted(sample.labels.items()))): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name.startswith("teddy_")
        and not sample.name.endswith(("_created", "_sum", "_bucket"))
    }
