"""Bearer tokens issued for the local stack."""

from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.principal import Principal

LOCAL_KEY_ID = "local-1"


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
