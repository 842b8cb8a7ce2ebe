"""Endpoints for operators, the same in every process: liveness, readiness, metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from shared.http.stopping import is_stopping

CHECK_SECONDS = 1.5

log = structlog.get_logger(__name__)

DependencyCheck = Callable[[], Awaitable[None]]
"""Returns when the dependency answers; raises when it does not."""

Details = Callable[[], Mapping[str, Any]]
"""More for the readiness answer, e.g. `{"lag": {"events": 0, "seconds": 0.0}}`."""


Findings = Callable[[], Sequence[str]]
"""Why the process does not do its work though all answer, one line each; none while it does."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a process needs to do its work. `dispensable`: dependencies without which it does less,
    and is ready all the same."""

    dependencies: Mapping[str, DependencyCheck]
    details: Details = dict
    findings: Findings = tuple
    dispensable: frozenset[str] = frozenset()

    async def report(self) -> dict[str, Any]:
        """`{"status": "ready" | "not_ready", "dependencies": {name: "up" | "down"}, ...}`, with
        `findings` if there are any, and in `degraded` the dispensable dependencies that are down.
        """
        names = list(self.dependencies)
        states = await asyncio.gather(*(_state(name, self.dependencies[name]) for name in names))
        dependencies = dict(zip(names, states, strict=True))
        down = {name for name, state in dependencies.items() if state == "down"}
        findings, degraded = list(self.findings()), sorted(down & self.dispensable)
        ready = not findings and down <= self.dispensable
        return {
            "status": "ready" if ready else "not_ready",
            "dependencies": dependencies,
            **({"findings": findings} if findings else {}),
            **({"degraded": degraded} if degraded else {}),
            **self.details(),
        }


def operations_router(readiness: Readiness, registry: CollectorRegistry = REGISTRY) -> APIRouter:
    """`/health/live`, `/health/ready` (503 while a dependency is down, and from SIGTERM on),
    `/metrics`."""
    router = APIRouter(tags=["operations"])

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """Whether the process runs; what it needs is not asked."""
        return {"status": "live"}

    @router.get("/health/ready", responses={503: {"description": "Not ready, or stopping."}})
    async def ready(request: Request) -> Response:
        """Whether the process does its work, and which of what it needs answers."""
        if is_stopping(request.app):
            return JSONResponse({"status": "stopping"}, 503)
        report = await readiness.report()
        return JSONResponse(report, 200 if report["status"] == "ready" else 503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """In the text format of Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


async def _state(name: str, check: DependencyCheck) -> str:
    try:
        await asyncio.wait_for(check(), CHECK_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, the dependency is down
        log.warning("dependency_down", dependency=name, error=type(error).__name__)
        return "down"
    return "up"
