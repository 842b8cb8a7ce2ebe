"""Bearer tokens: issued for the local stack, checked at the edge of both APIs (RFC 7519, with the
advice of RFC 8725)."""

import base64
import binascii
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth.access import Principal, Role, is_subject
from shared.auth.keys import KEY_ID, KeySource, KeysUnavailable, VerificationKey
from shared.clock import unix_seconds
from shared.field_wording import JsonRefused, read_json

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


REQUIRED_CLAIMS = ("sub", "role", "iss", "aud", "exp")
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
    """What a token must say; `leeway_seconds` is allowed between its issuer's clock and ours.
    `most_life_seconds`: between `nbf`, or `iat` of a token without it, and `exp`."""

    issuer: str
    audience: str
    leeway_seconds: float = 0.0
    most_life_seconds: float = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good token says. It holds until `until` (Unix seconds), and no longer than its key is
    in the key set."""

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
        self.expected = expected
        self._now = now
        self._known: OrderedDict[bytes, Verified] = OrderedDict()

    async def verify(self, token: str) -> Verified:
        """What a good token says. Raises TokenRefused, never saying why in detail, or
        KeysUnavailable when no token can be judged."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise TokenRefused("the bearer token is not valid")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and await self.holds(known):
            self._known.move_to_end(digest)
            return known
        self._known.pop(digest, None)
        known = await self._check(token)
        self._known[digest] = known
        if len(self._known) > REMEMBERED_TOKENS:
            self._known.popitem(last=False)
        return known

    async def holds(self, verified: Verified) -> bool:
        """Whether it still does. Raises KeysUnavailable."""
        key = (await self._keys.current()).get(verified.key_id)
        same_key = key is not None and key.fingerprint == verified.fingerprint
        return same_key and verified.until > self._now()

    def seconds_left(self, verified: Verified) -> float:
        """Until the token expires."""
        return verified.until - self._now()

    async def _check(self, token: str) -> Verified:
        try:
            key_id = key_id_of(token)
            key = await self._key(key_id)
            claims = self._claims(token, key)
            principal = Principal(subject=_subject(claims), role=Role(claims["role"]))
            until = _moment(claims, "exp") + self.expected.leeway_seconds
            return Verified(principal, until, key_id, key.fingerprint)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenRefused("the bearer token is not valid") from error

    async def _key(self, key_id: str) -> VerificationKey:
        key = (await self._keys.current()).get(key_id)
        if key is None:
            key = (await self._keys.after_unknown_key()).get(key_id)
        if key is None:
            raise ValueError("unknown key")
        return key

    def _claims(self, token: str, key: VerificationKey) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],  # the key's own: what the header claims is never trusted
            issuer=self.expected.issuer,
            audience=self.expected.audience,
            leeway=self.expected.leeway_seconds,
            options={"require": list(REQUIRED_CLAIMS)},
        )
        # an access token of OAuth says when it was issued (RFC 9068), and seldom when it begins
        begin = "nbf" if "nbf" in claims else "iat"
        if _moment(claims, "exp") - _moment(claims, begin) > self.expected.most_life_seconds:
            raise ValueError("a longer lifetime than a token may have")
        return claims


class Grant(NamedTuple):
    """What the token of one request opens, for as long as that lasts."""

    verifier: TokenVerifier
    verified: Verified

    @property
    def seconds_left(self) -> float:
        return self.verifier.seconds_left(self.verified)

    async def holds(self) -> bool:
        """False also while nobody can say."""
        try:
            return await self.verifier.holds(self.verified)
        except KeysUnavailable:
            return False


def key_id_of(token: str) -> str:
    """The `kid` of a token whose header asks for nothing that is not done here.

    A flat object of texts: so there is no `crit`, no `b64`, no `jwk` and no `x5c` in it.
    """
    if not _COMPACT.fullmatch(token):
        raise ValueError("not a compact JWS")
    header_part, claims_part, signature_part = token.split(".")
    header, _ = _json(header_part), _json(claims_part)
    _bytes(signature_part)
    if not isinstance(header, dict) or not all(isinstance(v, str) for v in header.values()):
        raise ValueError("not a flat header")
    if header.keys() & BRING_THEIR_OWN_KEY or header.get("typ", "JWT").lower() not in TYPES:
        raise ValueError("not the header of a token")
    key_id = header.get("kid", "")
    if not KEY_ID.fullmatch(key_id):
        raise ValueError("no valid kid")
    return str(key_id)


def _json(part: str) -> Any:
    """JSON of one meaning: UTF-8, no name twice. Libraries differ in which of two claims they take,
    and Python's takes UTF-16 as well."""
    try:
        return read_json(_bytes(part))
    except JsonRefused as error:
        raise ValueError("not base64url of JSON") from error


def _bytes(part: str) -> bytes:
    """Of the one spelling that base64url has for them: spare bits are zero."""
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if base64.urlsafe_b64encode(content).rstrip(b"=").decode() != part:
        raise ValueError("not the canonical base64url")
    return content


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not is_subject(subject):
        raise ValueError("no valid sub")
    return subject


def _moment(claims: dict[str, Any], name: str) -> float:
    moment = claims.get(name)
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        raise ValueError(f"{name} is not a number")
    return float(moment)
