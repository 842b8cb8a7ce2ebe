import asyncio
import re
import resource
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry, Gauge

from shared.http import serving
from shared.http.edge import install_hardening
from shared.http.request_context import correlation_id_of, traceparent_of
from shared.http.serving import DependencyCheck, Readiness, open_more_files, operations_router
from shared.http.settings import Exposure


async def _up() -> None:
    return None


async def _down() -> None:
    raise ConnectionError("refused")


async def _hangs() -> None:
    await asyncio.Event().wait()


async def _ask(path: str, checks: Mapping[str, DependencyCheck]) -> httpx2.Response:
    registry = CollectorRegistry()
    Gauge("bears", "Bears.", registry=registry).set(3)
    app = FastAPI()
    details: dict[str, Any] = {"lag": {"events": 0}}
    app.include_router(operations_router(Readiness(checks, lambda: details), registry))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


async def test_a_process_is_ready_when_all_it_needs_answers():
    # when
    answer = await _ask("/health/ready", {"store": _up, "kafka": _up})
    # then
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "dependencies": {"store": "up", "kafka": "up"},
        "lag": {"events": 0},
    }


@pytest.mark.parametrize("check", [_down, _hangs])
async def test_a_dependency_that_fails_or_hangs_is_down(
    check: DependencyCheck, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(serving, "CHECK_SECONDS", 0.05)
    answer = await _ask("/health/ready", {"store": _up, "kafka": check})
    assert answer.status_code == 503
    assert answer.json()["dependencies"] == {"store": "up", "kafka": "down"}


async def test_without_what_is_dispensable_a_process_is_ready_and_only_then():
    readiness = Readiness({"store": _up, "kafka": _down}, dispensable=lambda: frozenset({"kafka"}))

    assert await readiness.report() == {
        "status": "ready",
        "dependencies": {"store": "up", "kafka": "down"},
        "degraded": ["kafka"],
    }
    checks = {"store": _down, "kafka": _down}

    report = await Readiness(checks, dispensable=lambda: frozenset({"kafka"})).report()

    assert report["status"] == "not_ready"


async def test_a_process_that_does_not_do_its_work_is_not_ready_though_all_answer():
    readiness = Readiness({"store": _up}, findings=lambda: ["waits for a rebuild"])

    assert await readiness.report() == {
        "status": "not_ready",
        "dependencies": {"store": "up"},
        "findings": ["waits for a rebuild"],
    }


async def test_a_process_lives_also_when_it_is_not_ready_and_tells_its_metrics():
    assert (await _ask("/health/live", {"store": _down})).json() == {"status": "live"}
    assert "bears 3.0" in (await _ask("/metrics", {})).text


USUAL = 1_024


@pytest.fixture
def hard_limit() -> Iterator[int]:
    """Of a process that may open the usual number of files, and more if it asks for it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_process_opens_as_many_files_as_the_system_lets_it(hard_limit: int):
    open_more_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == hard_limit
    assert soft == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))


UUID = "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = f"00-{TRACE_ID}-b7ad6b7169203331-01"
FRESH = "11111111-2222-4333-8444-555555555555"


def _an_app() -> FastAPI:
    app = FastAPI()
    install_hardening(app, Exposure(), lambda: FRESH)

    @app.get("/")
    async def seen(request: Request) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {
            "correlation_id": correlation_id_of(request),
            "traceparent": traceparent_of(request),
            "logged": structlog.contextvars.get_contextvars().get("correlation_id"),
        }

    return app


async def _seen(headers: Mapping[str, str] | list[tuple[str, str]]) -> tuple[dict[str, Any], str]:
    transport = httpx2.ASGITransport(app=_an_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/", headers=headers)
        return answer.json(), answer.headers["Correlation-Id"]


@pytest.mark.parametrize("given", [UUID, UUID.upper(), TRACE_ID])
async def test_a_request_keeps_the_caller_s_correlation_id_everywhere(given: str):
    seen, answered = await _seen({"Correlation-Id": given})
    assert seen["correlation_id"] == seen["logged"] == answered == given.lower()


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "my-street-is-5-Elm",
        "request-0001",
        f" {UUID[1:]}",
        f"{{{UUID}}}",
        f"urn:uuid:{UUID}",
        f"{UUID}-Ada",
        UUID[:-1],
        UUID.replace("-", "_"),
        TRACE_ID[:-1],
        f"{TRACE_ID}0",
        "0" * 32,
        "00000000-0000-0000-0000-000000000000",
        "x" * 8_000,
    ],
    ids=repr,
)
async def test_an_id_that_could_hold_words_or_names_nothing_is_replaced(offered: str):
    seen, answered = await _seen({"Correlation-Id": offered})
    assert seen["correlation_id"] == seen["logged"] == answered == FRESH


async def test_of_no_id_or_two_a_request_gets_a_new_one_and_of_two_trace_contexts_none():
    assert (await _seen({}))[1] == FRESH
    assert (await _seen([("Correlation-Id", UUID), ("Correlation-Id", TRACE_ID)]))[1] == FRESH
    seen, _ = await _seen([("traceparent", TRACE), ("traceparent", TRACE)])
    assert seen["traceparent"] is None


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        (TRACE, TRACE),
        ("00-nonsense", None),
        (TRACE.upper(), None),
        (f"{TRACE}-more", None),
        (f"ff{TRACE[2:]}", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{TRACE_ID}-{'0' * 16}-01", None),
        (f"00-{TRACE_ID}-b7ad6b7169203331-ff", f"00-{TRACE_ID}-b7ad6b7169203331-03"),
        (f"01{TRACE[2:]}", TRACE),
        (f"cc{TRACE[2:]}-my-street-is-5-Elm", TRACE),
        (f"cc{TRACE[2:]}.more", None),
    ],
)
async def test_only_a_valid_trace_context_is_kept_and_nothing_that_follows_it(
    offered: str, kept: str | None
):
    seen, _ = await _seen({"traceparent": offered})
    assert seen["traceparent"] == kept


def test_the_document_tells_of_the_id_with_every_operation_and_answer():
    app = _an_app()
    app.openapi()
    operation = app.openapi()["paths"]["/"]["get"]
    assert [one["name"] for one in operation["parameters"]] == ["Correlation-Id", "traceparent"]
    pattern = operation["responses"]["200"]["headers"]["Correlation-Id"]["schema"]["pattern"]
    assert [bool(re.search(pattern, one)) for one in (UUID, TRACE_ID, "x" + UUID)] == [1, 1, 0]


async def test_requests_at_the_same_time_do_not_share_an_id():
    names = [f"{number:032x}" for number in range(1, 21)]
    answers = await asyncio.gather(*(_seen({"Correlation-Id": name}) for name in names))
    assert [seen["logged"] for seen, _ in answers] == names
