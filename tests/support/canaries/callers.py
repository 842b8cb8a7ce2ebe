"""Who speaks to both APIs of a running stack, with a canary in every header that is theirs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
import jwt

from deploy.local.state import StackState
from shared.auth.access import Role
from shared.auth.tokens import LOCAL_KEY_ID
from shared.clock import new_id, utc_now
from shared.signing import read_signing_key
from tests.support.callers import token
from tests.support.canaries.values import canary

ANSWER_SECONDS = 30.0
PARENT, STRANGER = f"parent-{new_id()}", f"parent-{new_id()}"
SUBJECTS = {
    Role.PARENT: PARENT,
    Role.DEVICE: canary("device"),
    Role.SAFETY_OFFICER: "officer-1",
    Role.ANALYST: "analyst-1",
    Role.ADMIN: "admin-1",
}


@dataclass(frozen=True)
class Api:
    """One caller on both APIs."""

    commands: httpx2.AsyncClient
    queries: httpx2.AsyncClient


@dataclass(frozen=True)
class Callers:
    parent: Api
    bear: Api
    officer: Api
    analyst: Api
    admin: Api
    stranger: Api
    forgers: tuple[Api, ...]
    """Whose tokens are expired or broken, and full of canaries."""


@asynccontextmanager
async def calling(state: StackState) -> AsyncIterator[Callers]:
    tokens = {role: token(state, role, subject) for role, subject in SUBJECTS.items()}
    forged = _expired(state)
    bearers = [
        *(tokens[role] for role in Role),
        token(state, Role.PARENT, STRANGER),
        forged,
        forged[:-8],
        canary("token"),
    ]
    apis = [_api(state, bearer) for bearer in bearers]
    try:
        by_role = dict(zip(Role, apis, strict=False))
        yield Callers(
            parent=by_role[Role.PARENT],
            bear=by_role[Role.DEVICE],
            officer=by_role[Role.SAFETY_OFFICER],
            analyst=by_role[Role.ANALYST],
            admin=by_role[Role.ADMIN],
            stranger=apis[len(Role)],
            forgers=tuple(apis[len(Role) + 1 :]),
        )
    finally:
        for api in apis:
            await api.commands.aclose()
            await api.queries.aclose()


def _api(state: StackState, bearer: str) -> Api:
    headers = {
        "Authorization": f"Bearer {bearer}",
        "User-Agent": canary("header", 1),
        "Referer": f"https://{canary('header', 2)}.example/",
        "Cookie": f"name={canary('header', 3)}",
    }
    return Api(
        *(
            httpx2.AsyncClient(
                base_url=state.environment[f"TEDDY_{which}_URL"],
                headers=headers,
                timeout=ANSWER_SECONDS,
            )
            for which in ("COMMAND", "QUERY")
        )
    )


def _expired(state: StackState) -> str:
    key = read_signing_key(Path(state.environment["TEDDY_SIGNING_KEY_FILE"]))
    hour = timedelta(hours=1)
    claims = {
        "sub": canary("token", 1),
        "name": canary("token", 2),
        "role": "parent",
        "iss": "teddy-local",
        "aud": "teddy",
        "nbf": utc_now() - 2 * hour,
        "exp": utc_now() - hour,
    }
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": LOCAL_KEY_ID})
