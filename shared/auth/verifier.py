"""Bearer tokens checked at the edge of both APIs (RFC 7519, with the advice of RFC 8725)."""

import base64
import binascii
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import orjson

from shared.auth.key_set import KEY_ID, VerificationKey
from shared.auth.key_source import KeySource
from shared.auth.principal import Principal, Role, is_subject
from shared.clock import unix_seconds

REQUIRED_CLAIMS = ("sub", "role", "iss", "aud", "exp", "nbf")
MAX_TOKEN_CHARACTERS = 8 * 1_024
REMEMBERED_TOKENS = 10_000
TYPES = frozenset({"jwt", "at+jwt"})
"""`typ` of a token's header: other things that an issuer signs are no tokens."""

BRING_THEIR_OWN_KEY = frozenset({"jku", "x5u"})
"""Headers that name a place to fetch the key from."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenRefused(Exception):
    """The bearer token is missing, malformed, expired, or not signed by a known issuer."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say; `leeway_seconds` is allowed between its issuer's clock and ours."""

    issuer: str
    audience: str
    leeway_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    until: float
    key_id: str
    fingerprint: bytes


class TokenVerifier:
    """Checks signature, algorithm, issuer, audience, expiry and not-before against a key set.

    A token that was good stays known until it expires or its key leaves the set: checking a
    signature costs as much as answering from the cache. At most `REMEMBERED_TOKENS` are known, by
    their digest; the least recently used goes.
    """

    def __init__(
        self, keys: KeySource, expected: Expected, now: Callable[[], float] = unix_seconds
    ) -> None:
        self._keys = keys
        self._expected = expected
        self._now = now
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """The principal of a good token. Raises TokenRefused, never saying why in detail, or
        KeysUnavailable when no token can be judged."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise TokenRefused("the bearer token is not valid")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and await self._still_holds(known):
            self._known.move_to_end(digest)
            return known.principal
        self._known.pop(digest, None)
        known = await self._check(token)
        self._known[digest] = known
        if len(self._known) > REMEMBERED_TOKENS:
            self._known.popitem(last=False)
        return known.principal

    async def _still_holds(self, known: _Known) -> bool:
        key = (await self._keys.current()).find(known.key_id)
        same_key = key is not None and key.fingerprint == known.fingerprint
        return same_key and self._now() < known.until

    async def _check(self, token: str) -> _Known:
        try:
            key_id = _key_id_of(token)
            key = await self._key(key_id)
            claims = self._claims(token, key)
            principal = Principal(subject=_subject(claims), role=Role(claims["role"]))
            until = _moment(claims, "exp") + self._expected.leeway_seconds
            return _Known(principal, until, key_id, key.fingerprint)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenRefused("the bearer token is not valid") from error

    async def _key(self, key_id: str) -> VerificationKey:
        key = (await self._keys.current()).find(key_id)
        if key is None:
            key = (await self._keys.after_unknown_key()).find(key_id)
        if key is None:
            raise ValueError("unknown key")
        return key

    def _claims(self, token: str, key: VerificationKey) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],  # the key's own: what the header claims is never trusted
            issuer=self._expected.issuer,
            audience=self._expected.audience,
            leeway=self._expected.leeway_seconds,
            options={"require": list(REQUIRED_CLAIMS)},
        )
        _moment(claims, "nbf")
        return claims


def _key_id_of(token: str) -> str:
    """The `kid` of a token whose header asks for nothing that is not done here.

    A flat object of texts: so there is no `crit`, no `b64`, no `jwk` and no `x5c` in it.
    """
    if not _COMPACT.fullmatch(token):
        raise ValueError("not a compact JWS")
    header = _decoded(token.partition(".")[0])
    if not isinstance(header, dict) or not all(isinstance(v, str) for v in header.values()):
        raise ValueError("not a flat header")
    if header.keys() & BRING_THEIR_OWN_KEY or header.get("typ", "JWT").lower() not in TYPES:
        raise ValueError("not a token's header")
    key_id = header.get("kid", "")
    if not KEY_ID.fullmatch(key_id):
        raise ValueError("no usable kid")
    return str(key_id)


def _decoded(part: str) -> Any:
    try:
        return orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise ValueError("not base64url of JSON") from error


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not is_subject(subject):
        raise ValueError("no usable sub")
    return subject


def _moment(claims: dict[str, Any], name: str) -> float:
    moment = claims[name]
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        raise ValueError(f"{name} is not a number")
    return float(moment)
