"""Bearer tokens: issued locally, verified at the edge of both APIs."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.principal import Principal, Role
from shared.clock import unix_seconds

ALGORITHMS = ("EdDSA", "ES256", "RS256")
REQUIRED_CLAIMS = ("sub", "role", "iss", "aud", "exp", "nbf")
LOCAL_KEY_ID = "local-1"
REMEMBERED_TOKENS = 10_000


class TokenRefused(Exception):
    """The bearer token is missing, malformed, expired, or not signed by a known issuer."""


class TokenVerifier:
    """Checks signature, algorithm, issuer, audience, expiry and not-before against a key set.

    A token that was good stays known until it expires: checking a signature costs as much as
    answering from the cache. At most `REMEMBERED_TOKENS` are known, the least recently used goes.
    """

    def __init__(
        self,
        jwks: dict[str, Any],
        issuer: str,
        audience: str,
        now: Callable[[], float] = unix_seconds,
    ) -> None:
        self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(jwks).keys}
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._known: OrderedDict[str, tuple[Principal, float]] = OrderedDict()

    def verify(self, token: str) -> Principal:
        """The principal of a good token; raises TokenRefused otherwise, never saying why in detail.

        The algorithm is the key's own: what the token's header claims is never trusted.
        """
        known = self._known.get(token)
        if known is not None and self._now() < known[1]:
            self._known.move_to_end(token)
            return known[0]
        self._known.pop(token, None)
        principal, expires_at = self._check(token)
        self._known[token] = (principal, expires_at)
        if len(self._known) > REMEMBERED_TOKENS:
            self._known.popitem(last=False)
        return principal

    def _check(self, token: str) -> tuple[Principal, float]:
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                key,
                algorithms=[a for a in ALGORITHMS if a == key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": list(REQUIRED_CLAIMS)},
            )
            principal = Principal(subject=_subject(claims), role=Role(claims["role"]))
            return principal, float(claims["exp"])
        except (jwt.PyJWTError, KeyError, ValueError, TypeError) as error:
            raise TokenRefused("the bearer token is not valid") from error


class TokenIssuer:
    """Signs tokens for the local stack with its Ed25519 key."""

    def __init__(self, private_key: Ed25519PrivateKey, issuer: str, audience: str) -> None:
        self._private_key = private_key
        self._issuer = issuer
        self._audience = audience

    def issue(self, principal: Principal, now: datetime, life: timedelta) -> str:
        """A token for `principal`, valid from `now` for `life`."""
        claims = {
            "sub": principal.subject,
            "role": principal.role.value,
            "iss": self._issuer,
            "aud": self._audience,
            "iat": now,
            "nbf": now,
            "exp": now + life,
        }
        headers = {"kid": LOCAL_KEY_ID}
        return jwt.encode(claims, self._private_key, algorithm="EdDSA", headers=headers)


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject:
        raise ValueError("sub is empty")
    return subject
