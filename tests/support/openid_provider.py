"""An OpenID provider over real HTTP, with keys of its own, that may do each thing wrong."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shared.clock import new_id, unix_seconds
from tests.support.ports import free_port, listens
from tests.support.tokens import Forger, base64url
from tests.support.waiting import SOON, until

CLIENT_ID, CLIENT_SECRET = "teddy-pages", "a-secret/of:the-pages"
LOOPBACK = "127.0.0.1"


@cache
def signing_key() -> RSAKey:
    """Of all ID tokens."""
    return RSAKey.generate_key(2_048, {"kid": "id-1", "use": "sig", "alg": "RS256"})


@dataclass
class OpenIdProvider:
    """Knows one client and signs in everybody, as `subject` with `role`; `forger` signs the access
    tokens. What is in a mapping replaces what the provider would say; None leaves it out."""

    issuer: str
    forger: Forger
    subject: str = "weiss"
    role: str = "parent"
    description: dict[str, Any] = field(default_factory=dict)
    redirect: dict[str, str | None] = field(default_factory=dict)
    id_claims: dict[str, Any] = field(default_factory=dict)
    access_claims: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    unsigned: bool = False
    key: RSAKey = field(default_factory=signing_key)
    answers: dict[str, Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/authorize", self._form, methods=["GET"]),
                Route("/authorize", self._allow, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
            ]
        )

    def begun(self, query: dict[str, str]) -> str:
        """The address that a browser is sent back to, after it came with `query`."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["client_id"] == CLIENT_ID
        code = new_id()
        self.codes[code] = query
        said = {"code": code, "state": query["state"], "iss": self.issuer} | self.redirect
        given = {name: value for name, value in said.items() if value is not None}
        return f"{query['redirect_uri']}?{urlencode(given)}"

    async def _describe(self, request: Request) -> Response:
        about = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
            "authorization_response_iss_parameter_supported": True,
            # options of an HTTP client, which no provider gives
            "verify": False,
            "proxy": "http://127.0.0.1:9",
        } | self.description
        return self._answer(request, {n: v for n, v in about.items() if v is not None})

    async def _form(self, request: Request) -> Response:
        action = escape(f"/authorize?{request.url.query}")
        form = f'<form method="post" action="{action}"><button>Allow</button></form>'
        return HTMLResponse(f'<link rel="icon" href="data:,">{form}')

    async def _allow(self, request: Request) -> Response:
        return RedirectResponse(self.begun(dict(request.query_params)), 303)

    async def _jwks(self, request: Request) -> Response:
        return self._answer(request, {"keys": [signing_key().as_dict(private=False)]})

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        query = self.codes.pop(form.get("code", ""), None)
        if query is None or not self._is_the_client(request, form):
            return self._answer(request, {"error": "invalid_grant"}, 400)
        if not _is_who_began(query, form):
            return self._answer(request, {"error": "invalid_grant"}, 400)
        access_token = self._access_token()
        given = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 3_600,
            "refresh_token": "which nobody keeps",
            "id_token": self._id_token(query["nonce"], access_token),
        } | self.tokens
        return self._answer(request, {n: v for n, v in given.items() if v is not None})

    def _is_the_client(self, request: Request, form: dict[str, str]) -> bool:
        """By its secret, where the provider's description says it is to stand."""
        methods = self.description.get("token_endpoint_auth_methods_supported")
        if methods == ["client_secret_post"]:
            return (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        return request.headers.get("Authorization") == _basic()

    def _access_token(self) -> str:
        """As RFC 9068 has it: with `iat`, without `nbf`."""
        claims = {"sub": self.subject, "role": self.role, "iat": int(unix_seconds()), "nbf": None}
        return self.forger.token({"typ": "at+jwt"}, **(claims | self.access_claims))

    def _id_token(self, nonce: str, access_token: str) -> str:
        now = int(unix_seconds())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": self.subject,
            "nonce": nonce,
            "iat": now,
            "exp": now + 300,
            "at_hash": base64url(hashlib.sha256(access_token.encode()).digest()[:16]),
        } | self.id_claims
        given = {name: value for name, value in claims.items() if value is not None}
        if self.unsigned:
            parts = (orjson.dumps(part) for part in ({"alg": "none", "kid": "id-1"}, given))
            return ".".join([*map(base64url, parts), ""])
        return jwt.encode({"alg": "RS256", "kid": "id-1"}, given, self.key)

    def _answer(self, request: Request, content: Any, status: int = 200) -> Response:
        self.asked.append(request.url.path)
        return self.answers.get(request.url.path) or JSONResponse(content, status)


def _basic() -> str:
    return f"Basic {base64.b64encode(f'{CLIENT_ID}:{CLIENT_SECRET}'.encode()).decode()}"


def _is_who_began(query: dict[str, str], form: dict[str, str]) -> bool:
    challenge = base64url(hashlib.sha256(form["code_verifier"].encode()).digest())
    same_place = form["redirect_uri"] == query["redirect_uri"]
    return same_place and challenge == query["code_challenge"]


class _Server(uvicorn.Server):
    """Leaves signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def openid_provider(forger: Forger, host: str = LOOPBACK) -> AsyncIterator[OpenIdProvider]:
    """Runs as long as the block, as a browser knows it: at `host`."""
    port = free_port()
    provider = OpenIdProvider(f"http://{host}:{port}", forger)
    config = uvicorn.Config(
        provider.app(), host=LOOPBACK, port=port, log_config=None, ws="none", lifespan="off"
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: listens((LOOPBACK, port)))
        yield provider
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, SOON)
