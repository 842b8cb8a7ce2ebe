"""Signed statements: receipts, heads and evidence that anybody can check with the public keys."""

from collections.abc import Mapping
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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
