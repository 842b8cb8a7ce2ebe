"""The caller of a request: its bearer token, verified at the edge, as a Principal."""

from functools import cache

from fastapi import Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.types import Scope

from shared.auth.access import Principal, RateClass, operation_of, rule_of
from shared.auth.bears import Pseudonyms
from shared.auth.keys import KeysUnavailable
from shared.auth.tokens import Grant, TokenRefused, TokenVerifier
from shared.http.admission import admitted
from shared.http.limits import RateLimits
from shared.http.problems import Problem, ProblemRaised, too_many_requests
from shared.http.request_context import header_values

SCHEME = "bearer"

UNAUTHENTICATED = Problem(
    401,
    "unauthenticated",
    "Not authenticated",
    "Send one `Authorization: Bearer <token>` header with a valid token.",
    headers={"WWW-Authenticate": "Bearer"},
)
"""The same whatever is wrong with a token: who forges one learns nothing from the answer."""

KEYS_UNAVAILABLE = Problem(
    503,
    "token-keys-unavailable",
    "Tokens cannot be checked",
    "The keys of the token issuer cannot be fetched at the moment; retry the request.",
    headers={"Retry-After": "5"},
)


class Caller(SecurityBase):
    """A dependency that gives the Principal of `Authorization: Bearer <token>`.

    Answers 401 without a good token, 503 when no token can be judged, 429 when the subject has its
    share of the places already or sends more than it may: all before the body is read.
    """

    def __init__(self, verifier: TokenVerifier, limits: RateLimits, pseudonyms: Pseudonyms) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT")
        self.scheme_name = "bearer"
        self._verifier = verifier
        self._limits = limits
        self._pseudonyms = pseudonyms

    async def __call__(self, request: Request) -> Principal:
        principal = await self._authenticated(request.scope)
        admitted(request).count_for(principal)
        await self.spend(request, principal, _rate_of(request.scope["route"].name))
        return principal

    async def spend(
        self, request: Request, principal: Principal, rate: RateClass, times: int = 1
    ) -> None:
        """Count `times` operations for the request under way. Raises the problem 429."""
        standing = await self._limits.spend(principal, rate, times)
        request.scope["state"]["standing"] = standing  # for the headers of the answer
        if not standing.allowed:
            raise ProblemRaised(too_many_requests(standing.reset_seconds))

    async def _authenticated(self, scope: Scope) -> Principal:
        offered = header_values(scope, b"authorization")
        if len(offered) != 1:
            raise ProblemRaised(UNAUTHENTICATED)
        scheme, _, token = offered[0].partition(" ")
        if scheme.lower() != SCHEME:
            raise ProblemRaised(UNAUTHENTICATED)
        try:
            verified = await self._verifier.verify(token.strip())
        except TokenRefused:
            raise ProblemRaised(UNAUTHENTICATED) from None
        except KeysUnavailable:
            raise ProblemRaised(KEYS_UNAVAILABLE) from None
        principal = self._pseudonyms.given(verified.principal)
        scope["state"] |= {"grant": Grant(self._verifier, verified), "principal": principal}
        return principal


@cache
def _rate_of(route_name: str) -> RateClass:
    return rule_of(operation_of(route_name)).rate
