"""The caller of a request: its bearer token, verified at the edge, as a Principal."""

from fastapi import Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from shared.auth.key_source import KeysUnavailable
from shared.auth.principal import Principal
from shared.auth.verifier import TokenRefused, TokenVerifier
from shared.http.problems import Problem, ProblemRaised

SCHEME = "bearer"

UNAUTHENTICATED = Problem(
    401,
    "unauthenticated",
    "Not authenticated",
    "Send one `Authorization: Bearer <token>` with a token that is good here and now.",
    headers={"WWW-Authenticate": "Bearer"},
)
"""The same whatever is wrong with a token: who forges one learns nothing from the answer."""

KEYS_UNAVAILABLE = Problem(
    503,
    "token-keys-unavailable",
    "Tokens cannot be checked",
    "The keys of the token issuer cannot be fetched at the moment; send the request again.",
    headers={"Retry-After": "5"},
)


class Caller(SecurityBase):
    """A dependency that gives the Principal of `Authorization: Bearer <token>`, or answers 401; 503
    when no token can be judged."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT")
        self.scheme_name = "bearer"
        self._verifier = verifier

    async def __call__(self, request: Request) -> Principal:
        offered = request.headers.getlist("Authorization")
        if len(offered) != 1:
            raise ProblemRaised(UNAUTHENTICATED)
        scheme, _, token = offered[0].partition(" ")
        if scheme.lower() != SCHEME:
            raise ProblemRaised(UNAUTHENTICATED)
        try:
            principal = await self._verifier.verify(token.strip())
        except TokenRefused:
            raise ProblemRaised(UNAUTHENTICATED) from None
        except KeysUnavailable:
            raise ProblemRaised(KEYS_UNAVAILABLE) from None
        request.state.principal = principal
        return principal
