"""Routes that are found directly answer as the framework's router would have them answer."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from starlette.routing import Match

from shared.audit.record import AuditRecord
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.http.direct_routes import DirectRoute, DirectRoutes
from tests.support.command_side import KEYS, CommandSide
from tests.support.query_side import QuerySide
from tests.support.rate_limits import limits_of
from tests.support.routes import routes_of
from tests.support.varied_requests import (
    CALLERS,
    LENA,
    MIA,
    answers_of,
    counted,
    varied_commands,
    varied_queries,
)

BAD = {"none": "", "malformed": "Bearer a.b.c", "basic": "Basic YTpi", "empty": "Bearer "}


def tokens_of(side: Any) -> dict[str, str]:
    """Good ones of every role, and those of which nobody may learn why they are refused."""
    good: dict[str, str] = {}
    for name, principal in CALLERS.items():
        bearer = side.bearer(principal)
        good[name] = bearer if isinstance(bearer, str) else bearer["Authorization"]
    issuer = TokenIssuer(side.forger.key, side.forger.issuer, side.forger.audience)
    stranger = TokenIssuer(Ed25519PrivateKey.generate(), side.forger.issuer, side.forger.audience)
    hour, parent = timedelta(hours=1), CALLERS["parent"]
    expired = issuer.issue(parent, utc_now() - 2 * hour, hour)
    forged = stranger.issue(parent, utc_now(), hour)
    lower = good["parent"].replace("Bearer", "bearer")
    return {
        **good,
        **BAD,
        "expired": f"Bearer {expired}",
        "forged": f"Bearer {forged}",
        "lower case": lower,
    }


def recorded(entries: list[AuditRecord]) -> list[tuple[str, ...]]:
    return [
        (e.subject if e.role != "device" else "", e.role, e.operation, e.outcome, e.address)
        for e in entries
    ]


async def _queries(limits: str) -> tuple[Any, ...]:
    side = QuerySide(limits=limits_of(queries=limits), keys=KEYS)
    await side.child(LENA, parent_id="weiss", device_id="bear-7")
    await side.child(MIA, parent_id="braun", device_id="bear-8")
    tokens = tokens_of(side)
    answers = await answers_of(side.app, list(varied_queries(list(tokens))), tokens)
    return answers, recorded(side.audit.entries), counted(side.service.registry)


async def _commands(limits: str) -> tuple[Any, ...]:
    side = CommandSide(limits=limits_of(commands=limits))
    tokens = tokens_of(side)
    answers = await answers_of(side.app, list(varied_commands(list(tokens))), tokens)
    return answers, recorded(side.audit.entries), counted(side.registry)


@pytest.mark.parametrize("api", [_queries, _commands])
@pytest.mark.parametrize("limits", ["1000000/minute", "20/minute"])
async def test_the_answer_the_record_and_the_metrics_are_the_same_without_the_router(
    api: Any, limits: str, monkeypatch: pytest.MonkeyPatch
):
    # given what the router leads to
    with monkeypatch.context() as patched:
        patched.setattr(DirectRoutes, "find", lambda *_: None)
        answers, records, metrics = await api(limits)
    # when
    directly = await api(limits)
    # then
    assert {answer["status"] for answer in answers} >= {200, 401, 403, 404, 405, 422}
    for one, other in zip(answers, directly[0], strict=True):
        assert one == other
    assert directly[1] == records
    assert directly[2] == metrics


@pytest.mark.parametrize("app", [QuerySide().app, CommandSide().app])
def test_what_is_found_directly_is_what_the_router_finds(app: FastAPI):
    direct, found = DirectRoutes(app), 0
    for each in routes_of(app):
        for path in (each.path, each.path.replace("{", "").replace("}", "")):
            scope: dict[str, Any] = {
                "type": "http",
                "method": each.method,
                "path": path,
                "headers": [],
            }
            target = direct.find(scope)
            if target is None:
                continue
            found += 1
            assert target.route.name == each.name
            matched = [r for r in app.router.routes if r.matches(dict(scope))[0] is Match.FULL]
            assert matched
            assert isinstance(target.route, DirectRoute)
            assert scope["endpoint"] is target.route.endpoint
    assert found > 10
