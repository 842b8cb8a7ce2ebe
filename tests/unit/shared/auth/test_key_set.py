"""Keys from a file and from an address, and which of them tokens may be signed with."""

from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shared.auth.from_settings import from_url, token_checks
from shared.auth.keys import (
    MAX_BYTES,
    MAX_KEYS,
    CachedKeys,
    Freshness,
    KeySetRefused,
    KeysUnavailable,
    parse_key_set,
)
from shared.auth.tokens import LOCAL_KEY_ID, Expected, TokenRefused, TokenVerifier
from shared.http.settings import TokenSettings
from shared.settings import load_settings
from shared.signing import create_signing_key, read_signing_key
from tests.support.tokens import Forger
from tests.support.waiting import eventually


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


def reported(jwk: Any) -> str:
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
    ids=reported,
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


URL = "https://issuer.example/jwks.json"


pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    create_signing_key(tmp_path / "signing.pem", tmp_path / "jwks.json", LOCAL_KEY_ID)
    return tmp_path / "jwks.json"


def forger(jwks: Path) -> Forger:
    return Forger(read_signing_key(jwks.parent / "signing.pem"), "teddy-local", "teddy")


async def test_a_file_is_read_at_start_and_again_when_it_changes(jwks: Path):
    # given
    checks = token_checks(TokenSettings(jwks_file=jwks))
    before = forger(jwks).token()
    await checks.verifier.verify(before)
    # when the key is replaced
    (jwks.parent / "signing.pem").unlink()
    jwks.unlink()
    create_signing_key(jwks.parent / "signing.pem", jwks, LOCAL_KEY_ID)

    # then the old one's tokens are refused, also those that were good a moment ago
    async def refused() -> bool:
        try:
            await checks.verifier.verify(before)
        except TokenRefused:
            return True
        return False

    await eventually(refused)
    await checks.verifier.verify(forger(jwks).token())
    await checks.keys.close()


def test_a_file_that_cannot_be_used_is_refused_at_start(jwks: Path):
    jwks.write_text("{}")
    with pytest.raises(KeySetRefused, match=r"jwks\.json: not a JSON Web Key Set"):
        token_checks(TokenSettings(jwks_file=jwks))
    jwks.unlink()
    with pytest.raises(OSError, match=r"jwks\.json"):
        token_checks(TokenSettings(jwks_file=jwks))


def served(answer: httpx2.Response | Exception) -> CachedKeys:
    def handle(_: httpx2.Request) -> httpx2.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    fetch = from_url(URL, httpx2.MockTransport(handle))
    return CachedKeys(fetch, Freshness(300, 30, 3_600), lambda: 0.0)


async def test_an_address_serves_the_keys(jwks: Path):
    keys = served(httpx2.Response(200, content=jwks.read_bytes()))
    verifier = TokenVerifier(keys, Expected("teddy-local", "teddy"))
    assert (await verifier.verify(forger(jwks).token())).principal.subject == "admin-1"


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500),
        httpx2.Response(404),
        httpx2.Response(302, headers={"Location": "https://attacker.example/jwks.json"}),
        httpx2.Response(200, content=b"<html>"),
        httpx2.Response(200, content=b" " * (MAX_BYTES + 1)),
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("late"),
    ],
    ids=repr,
)
async def test_an_address_without_keys_leaves_tokens_unjudged(
    jwks: Path, answer: httpx2.Response | Exception
):
    verifier = TokenVerifier(served(answer), Expected("teddy-local", "teddy"))
    with pytest.raises(KeysUnavailable):
        await verifier.verify(forger(jwks).token())


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "set either TEDDY_JWKS_FILE or TEDDY_JWKS_URL"),
        ({"FILE": "jwks.json", "URL": URL}, "set either TEDDY_JWKS_FILE or TEDDY_JWKS_URL"),
        ({"URL": "http://issuer.example/jwks"}, "TEDDY_JWKS_URL: must be https"),
        ({"URL": "http://127.0.0.1.example/jwks"}, "TEDDY_JWKS_URL: must be https"),
        ({"URL": "file:///etc/passwd"}, "TEDDY_JWKS_URL: must be https"),
        ({"URL": "https://"}, "TEDDY_JWKS_URL: must be https"),
        ({"URL": "http://[::1"}, "TEDDY_JWKS_URL: must be https"),
        ({"URL": ""}, "TEDDY_JWKS_URL: must be https"),
    ],
)
def test_settings_that_name_no_one_place_of_keys_are_refused_in_one_line(
    environment: dict[str, str],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for name, value in environment.items():
        monkeypatch.setenv(f"TEDDY_JWKS_{name}", value)
    with pytest.raises(SystemExit) as ended:
        load_settings(TokenSettings)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line


@pytest.mark.parametrize(
    "url", [URL, "http://127.0.0.1:8080/jwks", "http://localhost/jwks", "http://[::1]:8080/jwks"]
)
def test_an_address_that_nobody_can_listen_to_is_good(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEDDY_JWKS_URL", url)
    assert load_settings(TokenSettings).jwks_url == url
