"""Keys from a file and from an address, as the settings say."""

import os
from pathlib import Path

import httpx2
import pytest

from shared.auth.from_settings import from_url, token_checks
from shared.auth.keys import MAX_BYTES, CachedKeys, Freshness, KeySetRefused, KeysUnavailable
from shared.auth.tokens import LOCAL_KEY_ID, Expected, TokenRefused, TokenVerifier
from shared.http.settings import TokenSettings
from shared.settings import load_settings
from shared.signing import create_signing_key, read_signing_key
from tests.support.tokens import Forger
from tests.support.waiting import eventually

URL = "https://issuer.example/jwks.json"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TEDDY_"):
            monkeypatch.delenv(name)


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
