"""Ed25519 signing keys in files: the private half for its owner only, the public half as a JWKS."""

import os
import stat
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm


class SigningKeyRefused(Exception):
    """The file of the private key is missing, malformed or readable by others."""


def create_signing_key(private_path: Path, jwks_path: Path, key_id: str) -> None:
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
        reason = f"{path}: mode is {mode:04o}; make it 0600, others may read the key"
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
