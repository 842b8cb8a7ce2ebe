"""The caller of a request: its bearer token, verified at the edge, as a Principal."""

from fastapi import Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from shared.auth.principal import Principal
from shared.auth.tokens import TokenRefused, TokenVerifier
from shared.http.problems import Problem, ProblemRaised

SCHEME = "bearer"


class Caller(SecurityBase):
    """A dependency that gives the Principal of `Authorization: Bearer <token>`, or answers 401."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT")
        self.scheme_name = "bearer"
        self._verifier = verifier

    async def __call__(self, request: Request) -> Principal:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME or not token:
            raise ProblemRaised(_unauthenticated("Send `Authorization: Bearer <token>`."))
        try:
            return self._verifier.verify(token.strip())
        except TokenRefused:
            detail = "The bearer token is expired, malformed or not from a known issuer."
            raise ProblemRaised(_unauthenticated(detail)) from None


def _unauthenticated(detail: str) -> Problem:
    return Problem(
        401, "unauthenticated", "Not authenticated", detail, headers={"WWW-Authenticate": "Bearer"}
    )
