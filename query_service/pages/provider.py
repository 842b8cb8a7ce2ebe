"""The OpenID provider at which readers may sign in (OpenID Connect Core 1.0, RFC 6749, RFC 7636).

Authlib makes the requests and judges the ID token; here is what it leaves to its callers: which
answers of the provider are read at all, and which of its claims there must be.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from authlib.integrations.starlette_client import OAuthError
from joserfc.errors import JoseError

from query_service.pages.begun_sign_ins import Begun
from query_service.pages.provider_description import (
    SECRET_IN_BODY,
    SECRET_IN_HEADER,
    Description,
)
from query_service.pages.provider_http import BoundedTransport
from query_service.pages.provider_keys import KeysOneByOne
from shared.tasks import time_limit

DISCOVERY = "/.well-known/openid-configuration"
SECONDS = 8.0
"""For all that one step of a sign-in asks the provider."""

LIFE_SECONDS = 300.0
"""How long the provider's description of itself and its keys are believed."""

MOST_STALE_SECONDS = 3_600.0
"""For how long after that a description serves, while there is no newer one."""

PAUSE_SECONDS = 2.0
"""After a description that could not be read, before it is asked for again."""

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Of ID tokens. Those with a shared secret, or none, are not among them, whoever offers them."""

MOST_EXCHANGES = 8
"""Codes that are exchanged at once; the others wait, within `SECONDS`."""

CODE = re.compile(r"[!-~]{1,2048}")
MOST_LOGGED = 64
"""Characters of the word that the provider has for its refusal."""

MALFORMED = (
    *(ValueError, TypeError, LookupError, AttributeError),
    *(OverflowError, RecursionError),
)
"""What Authlib raises over answers of another form than it knows."""


class ProviderAway(Exception):
    """It cannot be reached, takes too long, or answers nothing that can be used."""


class CodeRefused(Exception):
    """It gave no tokens for the code: used before, too old, or not this client's."""


class AnswerNotTrusted(Exception):
    """It is of another issuer, or its ID token is not for this sign-in."""


class StillAway(ProviderAway):
    """It was a moment ago, and was not asked."""


class NoCode(CodeRefused):
    """It was not asked: what the browser brought is none."""


class OtherIssuer(AnswerNotTrusted):
    """The browser brought an answer that names one."""


@dataclass(frozen=True, slots=True)
class Client:
    """The pages, as the provider knows them. `callback`: where it sends readers back to;
    `leeway_seconds`: between its clock and ours."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    callback: str
    leeway_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Known:
    description: Description
    app: KeysOneByOne


class Provider:
    """One, for all readers. What it says of itself is asked for with the first sign-in."""

    def __init__(self, client: Client, monotonic: Callable[[], float]) -> None:
        self._client = client
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._exchanges = asyncio.Semaphore(MOST_EXCHANGES)
        self._known: _Known | None = None
        self._until = self._not_before = float("-inf")

    async def begin(self, back: str) -> tuple[str, Begun]:
        """Where to send a reader, and what to keep until they come back. Raises ProviderAway."""
        async with _in_time():
            known = await self._described()
            made = await known.app.create_authorization_url(self._client.callback)
        return made["url"], Begun(made["state"], made["nonce"], made["code_verifier"], back)

    async def check_issuer(self, named: str | None) -> None:
        """Of an answer that says it is of the issuer `named` (RFC 9207). Raises AnswerNotTrusted,
        ProviderAway."""
        async with _in_time():
            known = await self._described()
        names_itself = known.description.authorization_response_iss_parameter_supported
        if named != self._client.issuer and (named is not None or names_itself):
            raise OtherIssuer("an answer of another issuer")

    async def access_token(self, code: str, begun: Begun) -> str:
        """For the code that a reader came back with. Raises CodeRefused, AnswerNotTrusted,
        ProviderAway."""
        if not CODE.fullmatch(code):
            raise NoCode("not a code")
        async with _in_time(), self._exchanges:
            app = (await self._described()).app
            tokens = await app.fetch_access_token(  # type: ignore[no-untyped-call]
                self._client.callback, code=code, code_verifier=begun.verifier
            )
            await self._judge(app, tokens, begun.nonce)
        return str(tokens["access_token"])

    async def _judge(self, app: KeysOneByOne, tokens: Any, nonce: str) -> None:
        """Raises AnswerNotTrusted."""
        given = [tokens.get(name) for name in ("access_token", "id_token")]
        if not all(isinstance(token, str) and token.isascii() for token in given):
            raise AnswerNotTrusted("an access token and an ID token are needed")
        # the library compares `aud` with nothing by itself
        needed = {
            "iss": {"essential": True, "value": self._client.issuer},
            "aud": {"essential": True, "value": self._client.client_id},
        }
        leeway = int(self._client.leeway_seconds)
        try:
            await app.parse_id_token(tokens, nonce, claims_options=needed, leeway=leeway)
        except (JoseError, *MALFORMED) as error:
            raise AnswerNotTrusted(type(error).__name__) from error

    async def _described(self) -> _Known:
        async with self._lock:
            if self._known is None or self._monotonic() >= self._until:
                self._known = await self._renewed()
            return self._known

    async def _renewed(self) -> _Known:
        """As the provider says now; while it does not, as it said up to an hour ago, but for its
        keys: they are asked for again."""
        known = self._known
        if known is not None and self._monotonic() >= self._until + MOST_STALE_SECONDS:
            known = None
        if self._monotonic() < self._not_before:
            if known is None:
                raise StillAway("it was away a moment ago")
            return known
        renewed = False
        try:
            async with time_limit(SECONDS if known is None else SECONDS / 2):
                description = await self._description()
            renewed = True
        except (httpx2.HTTPError, OSError, ProviderAway, *MALFORMED):
            if known is None:
                raise
            description = known.description
        finally:
            self._not_before = float("-inf") if renewed else self._monotonic() + PAUSE_SECONDS
        if renewed:
            self._until = self._monotonic() + LIFE_SECONDS
        return self._as_described(description)

    async def _description(self) -> Description:
        address = self._client.issuer.rstrip("/") + DISCOVERY
        async with httpx2.AsyncClient(**_http()) as http:
            response = await http.get(address)
        response.raise_for_status()
        description = Description.model_validate_json(response.content)
        if description.issuer != self._client.issuer:
            raise ProviderAway("it describes another issuer")
        return description

    def _as_described(self, description: Description) -> _Known:
        offered = description.id_token_signing_alg_values_supported
        methods = description.token_endpoint_auth_methods_supported
        in_body = SECRET_IN_BODY in methods and SECRET_IN_HEADER not in methods
        options = {
            **_http(),
            "scope": self._client.scopes,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": SECRET_IN_BODY if in_body else SECRET_IN_HEADER,
        }
        app = KeysOneByOne(
            None,  # of the framework nothing is used
            client_id=self._client.client_id,
            client_secret=self._client.client_secret,
            client_kwargs=options,
            issuer=description.issuer,
            authorization_endpoint=description.authorization_endpoint,
            token_endpoint=description.token_endpoint,
            jwks_uri=description.jwks_uri,
            id_token_signing_alg_values_supported=[a for a in ALGORITHMS if a in offered],
        )
        return _Known(description, app)


def _http() -> dict[str, Any]:
    return {
        "transport": BoundedTransport(),
        "timeout": SECONDS,
        "follow_redirects": False,
        "headers": {"Accept-Encoding": "identity"},
    }


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """What the provider may do wrong, in one word each."""
    try:
        async with time_limit(SECONDS):
            yield
    except OAuthError as error:
        raise CodeRefused(str(error.error)[:MOST_LOGGED]) from error
    except (httpx2.HTTPError, OSError, *MALFORMED) as error:
        raise ProviderAway(type(error).__name__) from error
