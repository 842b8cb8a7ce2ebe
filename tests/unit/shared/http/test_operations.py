import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge

from shared.http import serving
from shared.http.serving import DependencyCheck, Readiness, operations_router


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


async def test_a_process_is_ready_when_all_it_needs_answers() -> None:
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
) -> None:
    monkeypatch.setattr(serving, "CHECK_SECONDS", 0.05)
    answer = await _ask("/health/ready", {"store": _up, "kafka": check})
    assert answer.status_code == 503
    assert answer.json()["dependencies"] == {"store": "up", "kafka": "down"}


async def test_without_what_is_dispensable_a_process_is_ready_and_says_so_but_not_without_more() -> (
    None
):
    readiness = Readiness({"store": _up, "kafka": _down}, dispensable=lambda: frozenset({"kafka"}))

    assert await readiness.report() == {
        "status": "ready",
        "dependencies": {"store": "up", "kafka": "down"},
        "degraded": ["kafka"],
    }
    checks = {"store": _down, "kafka": _down}

    report = await Readiness(checks, dispensable=lambda: frozenset({"kafka"})).report()

    assert report["status"] == "not_ready"


async def test_a_process_that_does_not_do_its_work_is_not_ready_though_all_answer() -> None:
    readiness = Readiness({"store": _up}, findings=lambda: ["waits for a rebuild"])

    assert await readiness.report() == {
        "status": "not_ready",
        "dependencies": {"store": "up"},
        "findings": ["waits for a rebuild"],
    }


async def test_a_process_lives_also_when_it_is_not_ready() -> None:
    assert (await _ask("/health/live", {"store": _down})).json() == {"status": "live"}


async def test_metrics_are_those_of_the_registry() -> None:
    assert "bears 3.0" in (await _ask("/metrics", {})).text
