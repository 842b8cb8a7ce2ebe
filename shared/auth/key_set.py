"""JSON Web Key Sets (RFC 7517): the public keys of those who may issue tokens."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

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
    """`algorithm` is the only one that this key verifies; `fingerprint` tells keys apart."""

    algorithm: str
    fingerprint: bytes
    key: jwt.PyJWK


@dataclass(frozen=True, slots=True)
class KeySet:
    keys: Mapping[str, VerificationKey]

    def find(self, key_id: str) -> VerificationKey | None:
        return self.keys.get(key_id)


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
    return KeySet(keys)


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
