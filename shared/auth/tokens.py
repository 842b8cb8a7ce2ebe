"""Bearer tokens: issued locally, verified at the edge of both APIs."""

import os
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

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


def create_signing_key(private_path: Path, jwks_path: Path) -> None:
    """Write a fresh Ed25519 key (mode 0600) and its public key set; existing files are left."""
    if private_path.exists() and jwks_path.exists():
        return
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    private_path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(private_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwks = {"keys": [{**public, "kid": LOCAL_KEY_ID, "use": "sig", "alg": "EdDSA"}]}
    jwks_path.write_bytes(orjson.dumps(jwks, option=orjson.OPT_INDENT_2))


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path}: not an Ed25519 private key")
    return key


def read_jwks(path: Path) -> dict[str, Any]:
    """Raises OSError, or ValueError for anything but a key set with at least one key."""
    try:
        jwks = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        jwks = None
    if not isinstance(jwks, dict) or not jwks.get("keys"):
        raise ValueError(f"{path}: not a JSON Web Key Set with keys")
    return jwks


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject:
        raise ValueError("sub is empty")
    return subject
