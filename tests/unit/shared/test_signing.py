import base64

import pytest

from shared.signing import ConsistencyToken, ConsistencyTokens, SignatureRefused, Signer

KEY = bytes(32)


def test_a_signed_payload_comes_back_from_a_text_that_fits_in_a_url() -> None:
    signer = Signer(KEY, "cursor")
    assert signer.open(signer.sign(b"payload")) == b"payload"
    text = Signer(KEY, "cursor").sign(bytes(range(256)))
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("position", range(0, 24, 3))
def test_an_altered_text_is_refused(position: int) -> None:
    signer = Signer(KEY, "cursor")
    raw = bytearray(base64.urlsafe_b64decode(signer.sign(b"payload!") + "="))
    raw[position] ^= 1
    with pytest.raises(SignatureRefused):
        signer.open(base64.urlsafe_b64encode(raw).decode())


@pytest.mark.parametrize("signer", [Signer(KEY, "consistency"), Signer(b"k" * 32, "cursor")])
def test_a_text_of_another_purpose_or_key_is_refused(signer: Signer) -> None:
    text = signer.sign(b"payload")
    with pytest.raises(SignatureRefused):
        Signer(KEY, "cursor").open(text)


@pytest.mark.parametrize("text", ["", "a", "short", "no base64!", "ünïcode", "A" * 21, "=" * 9])
def test_what_was_never_signed_is_refused(text: str) -> None:
    with pytest.raises(SignatureRefused):
        Signer(KEY, "cursor").open(text)


def test_a_consistency_token_names_child_and_version() -> None:
    tokens = ConsistencyTokens(KEY)
    assert tokens.read(tokens.issue("child-1", 7)) == ConsistencyToken("child-1", 7)
