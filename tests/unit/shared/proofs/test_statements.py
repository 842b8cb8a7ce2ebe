"""Signed statements: what was signed opens, anything else is refused with the reason."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.signing import (
    PROOF_KEY_ID,
    StatementRefused,
    StatementSigner,
    StatementVerifier,
    public_jwks,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
KIND = "teddy-receipt"
SIGNER = StatementSigner(KEY)
VERIFIER = StatementVerifier(public_jwks(KEY, PROOF_KEY_ID))


def test_a_signed_statement_opens_with_the_public_key():
    assert VERIFIER.open(KIND, SIGNER.sign(KIND, {"b": 1, "a": ["x"]})) == {"a": ["x"], "b": 1}


def test_a_statement_of_one_kind_does_not_pass_for_another():
    with pytest.raises(StatementRefused, match="not a statement of the kind teddy-head"):
        VERIFIER.open("teddy-head", SIGNER.sign(KIND, {}))


def test_a_statement_that_was_altered_or_signed_by_another_key_is_refused():
    header, payload, signature = SIGNER.sign(KIND, {"removed": 3}).split(".")
    other = SIGNER.sign(KIND, {"removed": 0}).split(".")[1]
    assert payload != other
    with pytest.raises(StatementRefused, match="altered"):
        VERIFIER.open(KIND, f"{header}.{other}.{signature}")
    with pytest.raises(StatementRefused, match="not in the key set"):
        VERIFIER.open(KIND, StatementSigner(OTHER, "proof-2").sign(KIND, {}))
    with pytest.raises(StatementRefused, match="altered"):
        VERIFIER.open(KIND, StatementSigner(OTHER).sign(KIND, {}))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "...."])
def test_what_is_no_statement_is_refused(text: str):
    with pytest.raises(StatementRefused):
        VERIFIER.open(KIND, text)


def test_an_unsigned_statement_and_a_signed_text_that_is_no_object_are_refused():
    unsigned = jwt.PyJWS().encode(b"{}", "", "none", {"kid": PROOF_KEY_ID, "typ": KIND})
    with pytest.raises(StatementRefused):
        VERIFIER.open(KIND, unsigned)
    text = jwt.PyJWS().encode(b"[]", KEY, "EdDSA", {"kid": PROOF_KEY_ID, "typ": KIND})
    with pytest.raises(StatementRefused, match="not a signed statement"):
        VERIFIER.open(KIND, text)
