"""Signatures: of tokens within the system, of statements for others, and the keys for both."""

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

SIGNATURE_BYTES = 16


class SignatureRefused(Exception):
    """The text was not signed here for this purpose, or was altered."""


class Signer:
    """Signs payloads for one `purpose`; a text signed for another is refused.

    The text is URL-safe base64 of the payload and a keyed BLAKE2b-128 over it.
    """

    __slots__ = ("_key", "_person")

    def __init__(self, signature_key: bytes, purpose: str) -> None:
        self._key = signature_key
        self._person = purpose.encode()[: hashlib.blake2b.PERSON_SIZE]

    def sign(self, payload: bytes) -> str:
        raw = payload + self._signature(payload)
        return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")

    def open(self, text: str) -> bytes:
        """The payload; raises SignatureRefused."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise SignatureRefused("not a signed text") from None
        payload, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(payload)):
            raise SignatureRefused("the signature does not match")
        return payload

    def _signature(self, payload: bytes) -> bytes:
        return hashlib.blake2b(
            payload, digest_size=SIGNATURE_BYTES, key=self._key, person=self._person
        ).digest()


@dataclass(frozen=True, slots=True)
class ConsistencyToken:
    """A position that a reader has a right to see: child `child_id` at `version` or later."""

    child_id: str
    version: int


class ConsistencyTokens:
    """Read your own writes: commands answer with a token, queries that bring it wait for it."""

    def __init__(self, signature_key: bytes) -> None:
        self._signer = Signer(signature_key, "consistency")

    def issue(self, child_id: str, version: int) -> str:
        return self._signer.sign(f"{child_id}@{version}".encode())

    def read(self, text: str) -> ConsistencyToken:
        """The position in `text`; raises SignatureRefused."""
        child_id, _, version = self._signer.open(text).decode().rpartition("@")
        return ConsistencyToken(child_id, int(version))


class SigningKeyRefused(Exception):
    """The file of the private key is missing, malformed or readable by others."""


def create_signing_key(private_path: Path, jwks_path: Path, key_id: str) -> None:
    """Write a fresh Ed25519 key (mode 0600) and its public key set; existing files are left."""
    if private_path.exists() and jwks_path.exists():
        return
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    private_path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(private_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    jwks_path.write_bytes(orjson.dumps(public_jwks(key, key_id), option=orjson.OPT_INDENT_2))


def public_jwks(key: Ed25519PrivateKey, key_id: str) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517) with the public half of `key`."""
    public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"keys": [{**public, "kid": key_id, "use": "sig", "alg": "EdDSA"}]}


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Raises SigningKeyRefused with the reason and what to do."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()
    except OSError as error:
        raise SigningKeyRefused(f"{path}: {error.strerror}") from None
    if mode & 0o077:
        reason = f"{path}: mode is {mode:04o}; set it to 0600: others can read the key"
        raise SigningKeyRefused(reason)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyRefused(f"{path}: not an Ed25519 private key")
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


ALGORITHM = "EdDSA"
PROOF_KEY_ID = "proof-1"


def kind_of(text: str) -> str | None:
    """What `text` says it is; None for what is no statement. Nothing is checked by it."""
    try:
        kind = jwt.get_unverified_header(text).get("typ")
    except jwt.PyJWTError:
        return None
    return kind if isinstance(kind, str) else None


class StatementRefused(Exception):
    """The text is no statement of this kind, was altered, or was signed by a key not known."""


class StatementSigner:
    """Signs statements as compact JWS (RFC 7515, EdDSA); `kind` stands in the header as `typ`,
    so that a statement of one kind never passes for another."""

    def __init__(self, private_key: Ed25519PrivateKey, key_id: str = PROOF_KEY_ID) -> None:
        self._private_key = private_key
        self._key_id = key_id

    def sign(self, kind: str, statement: Mapping[str, Any]) -> str:
        """`statement` is JSON: it is signed as canonical text (sorted keys, UTF-8)."""
        payload = orjson.dumps(statement, option=orjson.OPT_SORT_KEYS)
        headers = {"kid": self._key_id, "typ": kind}
        return jwt.PyJWS().encode(payload, self._private_key, ALGORITHM, headers)


class StatementVerifier:
    """Checks statements against a JSON Web Key Set; needs nothing else of the system."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(dict(jwks)).keys}

    def open(self, kind: str, text: str) -> dict[str, Any]:
        """The statement in `text`; raises StatementRefused with the reason."""
        try:
            header = jwt.get_unverified_header(text)
            if header.get("typ") != kind:
                raise StatementRefused(f"not a statement of the kind {kind}")
            key = self._keys.get(header.get("kid"))
            if key is None or key.algorithm_name != ALGORITHM:
                raise StatementRefused("signed by a key that is not in the key set")
            statement = orjson.loads(jwt.PyJWS().decode(text, key, algorithms=[ALGORITHM]))
        except jwt.InvalidSignatureError:
            raise StatementRefused("the signature does not match: it was altered") from None
        except (jwt.PyJWTError, orjson.JSONDecodeError):
            raise StatementRefused("not a signed statement") from None
        if not isinstance(statement, dict):
            raise StatementRefused("not a signed statement")
        return statement
