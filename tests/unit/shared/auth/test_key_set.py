"""Which keys of a set tokens may be signed with."""

from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shared.auth.keys import MAX_BYTES, MAX_KEYS, KeySetRefused, parse_key_set


def rsa_jwk(bits: int) -> dict[str, Any]:
    key = rsa.generate_private_key(65_537, bits)
    return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)


ED25519 = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True)
ED448 = OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key(), as_dict=True)
PRIVATE = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True)
P256, P384 = (
    ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key(), as_dict=True)
    for curve in (ec.SECP256R1(), ec.SECP384R1())
)
MATERIAL = ("n", "x", "y", "d")
SHARED = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYw"
RSA_2048, RSA_1024 = rsa_jwk(2_048), rsa_jwk(1_024)


def told(jwk: Any) -> str:
    """A name that is the same in every process: without what makes a key unlike others."""
    if not isinstance(jwk, dict):
        return str(jwk)
    return str({name: value for name, value in jwk.items() if name not in MATERIAL})[:60]


def key_set(*keys: dict[str, Any]) -> bytes:
    return orjson.dumps({"keys": list(keys)})


@pytest.mark.parametrize(
    ("jwk", "algorithm"), [(RSA_2048, "RS256"), (P256, "ES256"), (ED25519, "EdDSA")]
)
@pytest.mark.parametrize("says_which", [True, False])
def test_a_key_verifies_its_own_algorithm_only(
    jwk: dict[str, Any], algorithm: str, says_which: bool
):
    named = {"alg": algorithm} if says_which else {}
    (key,) = parse_key_set(key_set({**jwk, **named, "kid": "k-1"})).values()
    assert key.algorithm == algorithm


@pytest.mark.parametrize(
    "jwk",
    [
        {**RSA_1024, "kid": "k"},
        {**RSA_2048, "kid": "k", "alg": "PS256"},
        {**RSA_2048, "kid": "k", "alg": "RS384"},
        {**RSA_2048, "kid": "k", "alg": "HS256"},
        {**RSA_2048, "kid": "k", "alg": "EdDSA"},
        {**RSA_2048, "kid": "k", "alg": "none"},
        {**RSA_2048, "kid": "k", "alg": ["RS256"]},
        {**RSA_2048, "kid": "k", "use": "enc"},
        {**P384, "kid": "k"},
        {**P256, "kid": "k", "alg": "ES384"},
        {**ED448, "kid": "k"},
        {**PRIVATE, "kid": "k"},
        {"kty": "oct", "k": SHARED, "kid": "k"},
        {"kty": "oct", "k": SHARED, "kid": "k", "alg": "HS256"},
        {**ED25519, "kid": "k", "x": "AAAA"},
        ED25519,
        {**ED25519, "kid": ""},
        {**ED25519, "kid": 1},
        {**ED25519, "kid": "k" * 129},
        {"kid": "k"},
        "a text",
        None,
    ],
    ids=told,
)
def test_a_key_that_may_not_sign_tokens_is_left_out(jwk: Any):
    # alone, and beside a good one
    with pytest.raises(KeySetRefused, match="no key of this set"):
        parse_key_set(key_set(jwk))
    beside = parse_key_set(key_set(jwk, {**ED25519, "kid": "good"}))
    assert list(beside) == ["good"]


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b'{"keys": []}', b'{"keys": {}}', b"{" * 5_000]
)
def test_what_is_no_key_set_is_refused(raw: bytes):
    with pytest.raises(KeySetRefused, match="not a JSON Web Key Set"):
        parse_key_set(raw)


def test_a_key_set_has_bounds():
    many = [{**ED25519, "kid": f"k-{number}"} for number in range(MAX_KEYS + 1)]
    for raw in (key_set(*many), key_set({**ED25519, "kid": "k"}) + b" " * MAX_BYTES):
        with pytest.raises(KeySetRefused, match="not a JSON Web Key Set"):
            parse_key_set(raw)
    assert len(parse_key_set(key_set(*many[:-1]))) == MAX_KEYS


def test_two_keys_of_one_name_are_refused():
    with pytest.raises(KeySetRefused, match="same `kid`"):
        parse_key_set(key_set({**ED25519, "kid": "k"}, {**P256, "kid": "k"}))


def test_the_same_key_has_the_same_fingerprint_and_no_other_has():
    def fingerprint(jwk: dict[str, Any]) -> bytes:
        (key,) = parse_key_set(key_set({**jwk, "kid": "k"})).values()
        return key.fingerprint

    assert fingerprint(ED25519) == fingerprint(dict(reversed(ED25519.items())))
    assert fingerprint(ED25519) != fingerprint(P256)
