import asyncio
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import FastAPI, Request

from shared.http.correlation import correlation_id_of, install_correlation, traceparent_of

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _an_app() -> FastAPI:
    app = FastAPI()
    install_correlation(app, lambda: "fresh-id")

    @app.get("/")
    async def seen(request: Request) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {
            "correlation_id": correlation_id_of(request),
            "traceparent": traceparent_of(request),
            "logged": structlog.contextvars.get_contextvars().get("correlation_id"),
        }

    return app


async def _ask(headers: dict[str, str]) -> tuple[dict[str, Any], str]:
    transport = httpx2.ASGITransport(app=_an_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/", headers=headers)
        return answer.json(), answer.headers["Correlation-Id"]


async def test_a_request_keeps_the_caller_s_correlation_id_everywhere() -> None:
    # when
    seen, answered = await _ask({"Correlation-Id": "caller-0001"})
    # then
    assert seen["correlation_id"] == seen["logged"] == answered == "caller-0001"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Correlation-Id": "short"},
        {"Correlation-Id": "x" * 65},
        {"Correlation-Id": "no spaces"},
    ],
    ids=str,
)
async def test_a_missing_or_unusable_correlation_id_is_replaced(headers: dict[str, str]) -> None:
    # when
    seen, answered = await _ask(headers)
    # then
    assert seen["correlation_id"] == answered == "fresh-id"


@pytest.mark.parametrize(
    ("offered", "kept"), [(TRACE, TRACE), ("00-nonsense", None), (TRACE.upper(), None)]
)
async def test_only_a_well_formed_trace_context_is_kept(offered: str, kept: str | None) -> None:
    # when
    seen, _ = await _ask({"traceparent": offered})
    # then
    assert seen["traceparent"] == kept


async def test_requests_at_the_same_time_do_not_share_an_id() -> None:
    # given
    names = [f"request-{number:04d}" for number in range(20)]
    # when
    answers = await asyncio.gather(*(_ask({"Correlation-Id": name}) for name in names))
    # then
    assert [seen["logged"] for seen, _ in answers] == names
