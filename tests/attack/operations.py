"""Every command and query about one family, by everybody who may not: the table of docs/access.md
from the other side."""

from collections.abc import Iterator

from tests.attack.row import Refused, Request, Row

CHILD = "/v1/children/$child"
VIOLATION = f"{CHILD}/safety-violations/$violation"
REPORT = '{"type": "content", "severity": "low"}'
NEW = """{"name": "Bo", "age": 6, "udid": "TEDDY-NEW-$run", "parent_id": "$family", "consents":
[{"purpose": "account", "notice_version": "2026-11", "method": "signed_form"}]}"""
CONSENT = '{"notice_version": "2026-11", "method": "signed_form"}'
POLICY = '{"threshold": "low", "count": 2, "window_hours": 24, "channels": ["in_app"]}'
SAID = '{"role": "child", "word_count": 3}'

WHO = ("stranger", "another bear", "officer", "analyst")
OPERATIONS = (
    # what is sent, its body, and what each of these four is answered; "-" is allowed to it
    ("POST /v1/children", NEW, "404 403 403 403"),
    (f"PATCH {CHILD}/profile", '{"age": 8}', "404 403 403 403"),
    (f"PUT {CHILD}/alert-policy", POLICY, "404 403 403 403"),
    (f"POST {CHILD}/deactivation", '{"reason": "mine now"}', "404 403 403 403"),
    (f"POST {CHILD}/reactivation", "{}", "404 403 403 403"),
    (f"PUT {CHILD}/consents/personalization", CONSENT, "404 403 403 403"),
    (f"DELETE {CHILD}/consents/personalization", None, "404 403 403 403"),
    (f"DELETE {CHILD}/personal-data", None, "404 403 403 403"),
    (f"POST {CHILD}/safety-violations", REPORT, "404 404 - 403"),
    (f"POST {VIOLATION}/resolution", '{"outcome": "confirmed"}', "403 403 - 403"),
    (f"POST {VIOLATION}/reopening", '{"reason": "mine now"}', "403 403 - 403"),
    (f"PUT {VIOLATION}/assignee", "{}", "403 403 - 403"),
    (f"POST {VIOLATION}/acknowledgement", None, "404 403 403 403"),
    (f"POST {CHILD}/conversations", "{}", "403 404 403 403"),
    (f"POST {CHILD}/conversations/$talk/messages", SAID, "403 404 403 403"),
    (f"POST {CHILD}/conversations/$talk/end", None, "403 404 403 403"),
    (f"GET {CHILD}", None, "404 404 - 403"),
    (f"GET {CHILD}/safety-report", None, "404 403 - 403"),
    (f"GET {CHILD}/alert-policy", None, "404 403 - 403"),
    (f"GET {CHILD}/conversations", None, "404 403 - 403"),
    (f"GET {CHILD}/analytics", None, "404 404 - 403"),
    (f"GET {CHILD}/series", None, "404 403 - 403"),
    (f"GET {CHILD}/consents", None, "404 403 - 403"),
    (f"GET {CHILD}/export", None, "404 403 403 403"),
    (f"GET {CHILD}/audit-records", None, "403 403 - 403"),
    (f"GET {VIOLATION}/evidence", None, "403 403 - 403"),
    ("GET /v1/children/$erased/erasure-receipt", None, "404 403 403 403"),
    ("GET /v1/parents/$family/children", None, "404 403 - 403"),
    ("GET /v1/parents/$family/alerts", None, "404 403 - 403"),
    ("GET /v1/parents/$family/stream", None, "404 403 - 403"),
    ("GET /v1/safety-violations", None, "403 403 - 403"),
    ("GET /v1/cache", None, "403 403 403 403"),
    ("DELETE /v1/cache", None, "403 403 403 403"),
    ("POST /v1/operations", '{"kind": "rebuild"}', "403 403 403 403"),
    ("GET /v1/system/operations", None, "403 403 403 403"),
    ("GET /v1/system/requests", None, "403 403 403 403"),
    ("GET /v1/system/processes", None, "403 403 403 403"),
    ("GET /v1/system/protection", None, "403 403 403 403"),
    ("GET /v1/system/analytics", None, "403 403 - -"),
)
CODES = {"403": "forbidden", "404": "child-not-found"}
QUERY_API = ("GET", "DELETE /v1/cache")
CI = ("stranger", "another bear")


def operations() -> Iterator[Row]:
    for sent, body, answers in OPERATIONS:
        of_family = "$family" in sent or body == NEW
        for who, status in zip(WHO, answers.split(), strict=True):
            if status == "-":
                continue
            code = "parent-not-found" if of_family and status == "404" else CODES[status]
            yield Request(
                f"{who}: {sent.replace('$', '')}",
                sent,
                Refused(int(status), code),
                caller=who,
                body=body,
                api="query" if sent.startswith(QUERY_API) else "command",
                ci=who in CI and sent.startswith("GET"),
            )
