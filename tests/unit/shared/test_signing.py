import base64

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.signing import (
    PROOF_KEY_ID,
    ConsistencyToken,
    ConsistencyTokens,
    SignatureRefused,
    Signer,
    StatementRefused,
    StatementSigner,
    StatementVerifier,
    public_jwks,
)

KEY = bytes(32)


def test_a_signed_payload_comes_back_from_a_text_that_fits_in_a_url():
    signer = Signer(KEY, "cursor")
    assert signer.open(signer.sign(b"payload")) == b"payload"
    text = Signer(KEY, "cursor").sign(bytes(range(256)))
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("position", range(0, 24, 3))
def test_an_altered_text_is_refused(position: int):
    signer = Signer(KEY, "cursor")
    raw = bytearray(base64.urlsafe_b64decode(signer.sign(b"payload!") + "="))
    raw[position] ^= 1
    with pytest.raises(SignatureRefused):
        signer.open(base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize("signer", [Signer(KEY, "consistency"), Signer(b"k" * 32, "cursor")])
def test_a_text_of_another_purpose_or_key_is_refused(signer: Signer):
    text = signer.sign(b"payload")
    with pytest.raises(SignatureRefused):
        Signer(KEY, "cursor").open(text)


@pytest.mark.parametrize("text", ["", "a", "short", "no base64!", "ünïcode", "A" * 21, "=" * 9])
def test_what_was_never_signed_is_refused(text: str):
    with pytest.raises(SignatureRefused):
        Signer(KEY, "cursor").open(text)


def test_a_consistency_token_names_child_and_version():
    tokens = ConsistencyTokens(KEY)
    assert tokens.read(tokens.issue("child-1", 7)) == ConsistencyToken("child-1", 7)


SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
KIND = "teddy-receipt"
SIGNER = StatementSigner(SIGNING_KEY)
VERIFIER = StatementVerifier(public_jwks(SIGNING_KEY, PROOF_KEY_ID))


def test_a_signed_statement_opens_with_the_public_key_as_of_its_own_kind_only():
    assert VERIFIER.open(KIND, SIGNER.sign(KIND, {"b": 1, "a": ["x"]})) == {"a": ["x"], "b": 1}
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
    text = jwt.PyJWS().encode(b"[]", SIGNING_KEY, "EdDSA", {"kid": PROOF_KEY_ID, "typ": KIND})
    with pytest.raises(StatementRefused, match="not a signed statement"):
        VERIFIER.open(KIND, text)
