from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from shared.auth import tokens
from shared.auth.principal import Principal, Role
from shared.auth.tokens import LOCAL_KEY_ID, TokenIssuer, TokenRefused, TokenVerifier
from shared.clock import unix_seconds, utc_now

WEISS = Principal("weiss", Role.PARENT)


class Signatures:
    """Counts how often a signature is checked; its clock runs ahead by `ahead` seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checked = 0
        self.ahead = 0.0
        decode = jwt.decode

        def counting(*arguments: Any, **options: Any) -> dict[str, Any]:
            self.checked += 1
            return decode(*arguments, **options)

        monkeypatch.setattr(jwt, "decode", counting)
        key = Ed25519PrivateKey.generate()
        public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
        jwks = {"keys": [{**public, "kid": LOCAL_KEY_ID, "use": "sig", "alg": "EdDSA"}]}
        self.issuer = TokenIssuer(key, "tests", "teddy")
        self.verifier = TokenVerifier(
            jwks, "tests", "teddy", now=lambda: unix_seconds() + self.ahead
        )

    def token(self, principal: Principal = WEISS) -> str:
        return self.issuer.issue(principal, utc_now(), timedelta(hours=1))


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> Signatures:
    return Signatures(monkeypatch)


def test_the_signature_of_a_token_is_checked_once(signatures: Signatures) -> None:
    # given
    token = signatures.token()
    # when
    principals = [signatures.verifier.verify(token) for _ in range(3)]
    # then
    assert principals == [WEISS, WEISS, WEISS]
    assert signatures.checked == 1


def test_a_remembered_token_is_good_only_until_it_expires(signatures: Signatures) -> None:
    # given
    token = signatures.token()
    signatures.verifier.verify(token)
    # when
    signatures.ahead = 3_601
    signatures.verifier.verify(token)
    # then it is checked again, which is where an expired one is refused
    assert signatures.checked == 2


def test_a_token_that_differs_in_one_character_is_not_remembered(signatures: Signatures) -> None:
    # given
    token = signatures.token()
    signatures.verifier.verify(token)
    other = "A" if token[-5] != "A" else "B"
    # when / then
    with pytest.raises(TokenRefused):
        signatures.verifier.verify(token[:-5] + other + token[-4:])


def test_a_refusal_is_not_remembered(signatures: Signatures) -> None:
    for _ in range(2):
        with pytest.raises(TokenRefused):
            signatures.verifier.verify("not.a.token")


def test_only_so_many_tokens_are_remembered(
    signatures: Signatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given room for two
    monkeypatch.setattr(tokens, "REMEMBERED_TOKENS", 2)
    several = [signatures.token(Principal(f"p{n}", Role.PARENT)) for n in range(3)]
    # when
    for token in several:
        signatures.verifier.verify(token)
    signatures.verifier.verify(several[2])
    signatures.verifier.verify(several[0])
    # then only the oldest had to be checked again
    assert signatures.checked == 4
