"""The public keys of those who may issue tokens (JSON Web Key Sets, RFC 7517), and when they are
looked up again."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.tasks import time_limit

MAX_BYTES = 64 * 1_024
MAX_KEYS = 100
RSA_BITS = range(2_048, 8_192 + 1)
ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
"""Type of a key to the only algorithm that it is accepted for."""

KEY_ID = re.compile(r"[!-~]{1,128}")

log = structlog.get_logger(__name__)


class KeySetRefused(ValueError):
    """Not a key set, or one without a single key that tokens may be signed with."""


class KeyRefused(ValueError):
    """A key that no token is accepted from."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """`algorithm` is the only one that this key verifies; `fingerprint` distinguishes keys."""

    algorithm: str
    fingerprint: bytes
    key: jwt.PyJWK


KeySet = Mapping[str, VerificationKey]
"""By the id of the key, its `kid`."""


def parse_key_set(raw: bytes) -> KeySet:
    """The usable keys of a set of at most 64 KiB and 100 keys. Raises KeySetRefused."""
    if len(raw) > MAX_BYTES:
        raise KeySetRefused(f"not a JSON Web Key Set with keys: over {MAX_BYTES} bytes")
    try:
        jwks = orjson.loads(raw)
    except orjson.JSONDecodeError:
        jwks = None
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_KEYS:
        raise KeySetRefused(f"not a JSON Web Key Set with keys, 1..{MAX_KEYS} of them")
    usable = list(_usable(listed))
    keys = dict(usable)
    if not keys:
        raise KeySetRefused(
            "no key of this set may sign tokens: RS256 (2048..8192 bits), ES256, "
            "EdDSA (Ed25519), each with a `kid`"
        )
    if len(keys) < len(usable):
        raise KeySetRefused("two keys of this set have the same `kid`")
    return keys


def _usable(listed: list[Any]) -> Iterator[tuple[str, VerificationKey]]:
    """Others may stand beside them: an issuer's encryption keys, its keys for other algorithms."""
    for jwk in listed:
        try:
            yield _key_id(jwk), _verification_key(jwk)
        except KeyRefused as refused:
            log.warning("token_key_rejected", reason=str(refused))


def _key_id(jwk: Any) -> str:
    key_id = jwk.get("kid") if isinstance(jwk, dict) else None
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        raise KeyRefused("a key without a `kid` of 1..128 visible ASCII characters")
    return key_id


def _verification_key(jwk: dict[str, Any]) -> VerificationKey:
    algorithm = ALGORITHMS.get(str(jwk.get("kty")))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise KeyRefused("a key for another algorithm than RS256, ES256, EdDSA")
    if jwk.get("use", "sig") != "sig" or "d" in jwk:
        raise KeyRefused("a key for another use, or one that is not public")
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise KeyRefused(f"a key that cannot be read ({type(error).__name__})") from error
    if not _is_strong(key.key):
        raise KeyRefused("a key of another curve, or an RSA key too short or too long")
    canonical = orjson.dumps(jwk, option=orjson.OPT_SORT_KEYS)
    return VerificationKey(algorithm, hashlib.sha256(canonical).digest(), key)


def _is_strong(key: Any) -> bool:
    match key:
        case RSAPublicKey():
            return key.key_size in RSA_BITS
        case EllipticCurvePublicKey():
            return isinstance(key.curve, SECP256R1)
        case _:
            return isinstance(key, Ed25519PublicKey)


FETCH_SECONDS = 3.0
"""Longest a look-up may take: whoever waits for it has a request open."""

RENEWED_BESIDE = 0.8
"""From this part of its life on a set is looked up beside the requests."""

Fetch = Callable[[], Awaitable[bytes]]
"""The key set as it is now; raises OSError or ValueError."""


class KeysUnavailable(Exception):
    """No key set was ever read, or the last is too old to be trusted: no token can be judged."""


class KeySource(Protocol):
    async def current(self) -> KeySet:
        """Raises KeysUnavailable."""

    async def after_unknown_key(self) -> KeySet:
        """As `current`, after a look for a key that was not there. Raises KeysUnavailable."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Seconds: `life` until the set is looked up before it is used again, `cooldown` between two
    look-ups, whoever asks for them, `max_age` until a set that could not be renewed is not trusted
    any longer."""

    life: float
    cooldown: float
    max_age: float


class CachedKeys:
    """Keys in memory. What gets old is renewed beside the requests, what is past its life before it
    is used: a key that its issuer took back opens nothing. Only after a look-up that failed do
    older keys serve, and the next look-ups are beside the requests, so that an issuer which hangs
    delays one request and not all. A look-up is shared by all who wait for it."""

    def __init__(self, fetch: Fetch, freshness: Freshness, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._freshness = freshness
        self._monotonic = monotonic
        self._raw: bytes | None = None
        self._keys: KeySet | None = None
        self._read_at = self._tried_at = float("-inf")
        self._lookup: asyncio.Task[None] | None = None
        self._failed = False

    def accept(self, raw: bytes) -> None:
        """Take `raw` as the set of this moment. Raises KeySetRefused."""
        if raw != self._raw:
            self._keys, self._raw = parse_key_set(raw), raw
            log.info("token_keys_read", key_ids=sorted(self._keys))
        self._read_at = self._monotonic()

    async def current(self) -> KeySet:
        life = self._freshness.life
        known = self._keys_younger_than(RENEWED_BESIDE * life)
        if known is not None:
            return known
        lookup = self._look_up()
        usable = self._keys_younger_than(self._freshness.max_age if self._failed else life)
        if usable is None and lookup is not None:
            await asyncio.shield(lookup)
        usable = usable or self._keys_younger_than(self._freshness.max_age)
        if usable is None:
            raise KeysUnavailable
        return usable

    async def after_unknown_key(self) -> KeySet:
        lookup = self._look_up()
        if lookup is not None:
            await asyncio.shield(lookup)
        return await self.current()

    async def close(self) -> None:
        if self._lookup is not None:
            self._lookup.cancel()
            await asyncio.wait({self._lookup})
            self._lookup = None

    def _keys_younger_than(self, seconds: float) -> KeySet | None:
        return self._keys if self._monotonic() - self._read_at < seconds else None

    def _look_up(self) -> "asyncio.Task[None] | None":
        """The look-up under way or a new one; None when the last was a moment ago."""
        if self._lookup is None or self._lookup.done():
            now = self._monotonic()
            if now - self._tried_at < self._freshness.cooldown:
                return None
            self._tried_at = now
            self._lookup = asyncio.create_task(self._renew())
        return self._lookup

    async def _renew(self) -> None:
        try:
            async with time_limit(FETCH_SECONDS):
                self.accept(await self._fetch())
            self._failed = False
        except (OSError, ValueError) as error:
            self._failed = True
            log.warning("token_keys_not_renewed", error=type(error).__name__)
