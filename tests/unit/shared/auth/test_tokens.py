import base64
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from shared.auth import tokens
from shared.auth.principal import Principal, Role
from shared.auth.tokens import LOCAL_KEY_ID, TokenIssuer, TokenRefused, TokenVerifier
from shared.signing_keys import create_signing_key, read_jwks, read_signing_key

MOTHER = Principal("parent-1", Role.PARENT)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
STRANGER_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
JWKS = {
    "keys": [
        {
            **OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True),
            "kid": LOCAL_KEY_ID,
            "use": "sig",
            "alg": "EdDSA",
        }
    ]
}


def _now() -> datetime:
    return datetime.now(UTC)


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {
        "sub": "parent-1",
        "role": "parent",
        "iss": "issuer",
        "aud": "teddy",
        "nbf": _now() - timedelta(seconds=10),
        "exp": _now() + timedelta(hours=1),
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def _signed(
    claims: dict[str, Any],
    key: Any = KEY,
    algorithm: str = "EdDSA",
    kid: str | None = LOCAL_KEY_ID,
) -> str:
    return jwt.encode(claims, key, algorithm, {"kid": kid} if kid else None)


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(JWKS, "issuer", "teddy")


def test_a_token_of_the_local_issuer_is_good(verifier: TokenVerifier) -> None:
    # given
    token = TokenIssuer(KEY, "issuer", "teddy").issue(MOTHER, _now(), timedelta(hours=1))
    # when / then
    assert verifier.verify(token) == MOTHER
    assert verifier.verify(token) == MOTHER


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"nbf": datetime(2120, 1, 1, tzinfo=UTC)},
        {"aud": "another"},
        {"iss": "another"},
        {"role": "emperor"},
        {"role": ["parent"]},
        {"sub": ""},
        {"sub": None},
        {"role": None},
        {"iss": None},
        {"aud": None},
        {"exp": None},
        {"nbf": None},
    ],
    ids=str,
)
def test_a_token_with_wrong_or_missing_claims_is_refused(
    verifier: TokenVerifier, changes: dict[str, Any]
) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(_signed(_claims(**changes)))


def test_a_token_signed_by_a_stranger_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(_signed(_claims(), STRANGER_KEY))


@pytest.mark.parametrize("kid", ["unknown", None])
def test_a_token_of_an_unknown_key_is_refused(verifier: TokenVerifier, kid: str | None) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(_signed(_claims(), kid=kid))


def test_a_token_without_signature_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(_signed(_claims(), None, "none"))


def test_the_public_key_is_not_taken_for_a_shared_secret(verifier: TokenVerifier) -> None:
    # given HS256 with the public key, in every form in which it could be the secret
    public = KEY.public_key()
    header = {"alg": "HS256", "typ": "JWT", "kid": LOCAL_KEY_ID}
    secrets = [
        public.public_bytes_raw(),
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    ]
    times = {name: int(_claims()[name].timestamp()) for name in ("nbf", "exp")}
    for secret in secrets:
        claims = _claims() | times
        signed = b".".join(_base64(orjson.dumps(part)) for part in (header, claims))
        signature = jwt.get_algorithm_by_name("HS256").sign(signed, secret)
        # when / then
        with pytest.raises(TokenRefused):
            verifier.verify((signed + b"." + _base64(signature)).decode())


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "..", "ünïcode", "e30.e30.e30"])
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(TokenRefused):
        verifier.verify(token)


def test_a_refusal_does_not_say_why() -> None:
    # given
    verifier = TokenVerifier(JWKS, "issuer", "teddy")
    # when
    reasons = set()
    for token in (_signed(_claims(aud="another")), _signed(_claims(), STRANGER_KEY), "a"):
        with pytest.raises(TokenRefused) as refused:
            verifier.verify(token)
        reasons.add(str(refused.value))
    # then
    assert len(reasons) == 1


def test_a_known_token_is_checked_again_after_its_expiry(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a token that expires now and was seen before
    moments = [0.0]
    verifier = TokenVerifier(JWKS, "issuer", "teddy", now=lambda: moments[0])
    expires = _now() + timedelta(seconds=30)
    token = _signed(_claims(exp=expires))
    verifier.verify(token)
    check = Mock(wraps=verifier._check)
    monkeypatch.setattr(verifier, "_check", check)
    # when
    verifier.verify(token)
    moments[0] = expires.timestamp() + 1
    verifier.verify(token)
    # then only the second time
    check.assert_called_once_with(token)


def test_not_more_tokens_are_remembered_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr(tokens, "REMEMBERED_TOKENS", 2)
    verifier = TokenVerifier(JWKS, "issuer", "teddy")
    # when
    for number in range(5):
        verifier.verify(_signed(_claims(sub=f"parent-{number}")))
    # then
    assert len(verifier._known) == 2


def test_a_created_signing_key_signs_what_its_key_set_verifies(tmp_path: Path) -> None:
    # given
    private, public = tmp_path / "keys" / "signing.pem", tmp_path / "keys" / "jwks.json"
    create_signing_key(private, public, LOCAL_KEY_ID)
    before = private.read_bytes()
    # when repeated
    create_signing_key(private, public, LOCAL_KEY_ID)
    # then
    assert private.read_bytes() == before
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    issuer = TokenIssuer(read_signing_key(private), "issuer", "teddy")
    token = issuer.issue(MOTHER, _now(), timedelta(minutes=1))
    assert TokenVerifier(read_jwks(public), "issuer", "teddy").verify(token) == MOTHER


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": []}', "null"])
def test_a_file_without_keys_is_no_key_set(tmp_path: Path, content: str) -> None:
    # given
    path = tmp_path / "jwks.json"
    path.write_text(content)
    # when / then
    with pytest.raises(ValueError, match="not a JSON Web Key Set"):
        read_jwks(path)
