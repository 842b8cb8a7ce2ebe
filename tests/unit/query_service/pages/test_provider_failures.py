"""What a reader sees where a sign-in at the provider goes wrong: a page that says what, and no
session. Nothing that stood in an address is shown."""

import gzip
from typing import Any

import httpx2
import pytest
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from starlette.responses import JSONResponse, RedirectResponse, Response
from structlog.testing import capture_logs

from query_service.pages.begun_sign_ins import SECONDS, Begun, BegunSignIns
from query_service.pages.provider_description import Description
from query_service.pages.texts_of_sign_in import (
    SIGN_IN_IN_ENGLISH as ENGLISH,
)
from query_service.pages.texts_of_sign_in import (
    SIGN_IN_IN_GERMAN as GERMAN,
)
from shared.auth.keys import KeysUnavailable
from shared.clock import unix_seconds
from shared.logs import traceback_without_words
from tests.support.answering import answering
from tests.support.openid_provider import OpenIdProvider, signing_key
from tests.support.provider_side import ProviderSide
from tests.support.query_side import QuerySide

DISCOVERY = "/.well-known/openid-configuration"
NOT_SHOWN = "<script>alert(1)</script>"


def is_refusal(answer: httpx2.Response, status: int, text: str) -> bool:
    assert (answer.status_code, "teddy_session" in answer.headers.get("Set-Cookie", "")) == (
        status,
        False,
    ), answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "You are not signed in" in answer.text
    assert "Traceback" not in answer.text
    assert "script" not in answer.text
    return text.replace("'", "&#39;") in answer.text


REDIRECTS: list[tuple[dict[str, str | None], int, str]] = [
    ({"error": "access_denied", "error_description": NOT_SHOWN, "code": None}, 403, ENGLISH.denied),
    ({"error": "login_required", "code": None}, 502, ENGLISH.refused),
    ({"error": NOT_SHOWN, "code": None}, 502, ENGLISH.refused),
    ({"iss": "https://other.example"}, 502, ENGLISH.distrusted),
    ({"iss": "https://other.example", "error": "access_denied"}, 502, ENGLISH.distrusted),
    ({"iss": None}, 502, ENGLISH.distrusted),
    ({"code": None}, 502, ENGLISH.refused),
    ({"code": "one of another client"}, 502, ENGLISH.refused),
    ({"code": "unknown"}, 502, ENGLISH.refused),
    ({"code": "a" * 3_000}, 502, ENGLISH.refused),
    ({"state": "foreign"}, 400, ENGLISH.unknown),
    ({"state": "ü"}, 400, ENGLISH.unknown),
    ({"state": ""}, 400, ENGLISH.unknown),
    ({"state": None}, 400, ENGLISH.unknown),
]


@pytest.mark.parametrize(("redirect", "status", "text"), REDIRECTS)
async def test_an_answer_that_signs_nobody_in(
    at_provider: ProviderSide, redirect: dict[str, str | None], status: int, text: str
):
    at_provider.provider.redirect = redirect
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), status, text)
        assert (await browser.get("/dashboard")).status_code == 303


ID_TOKENS: list[dict[str, Any]] = [
    {"nonce": "of another sign-in"},
    {"nonce": None},
    {"iss": "https://other.example"},
    {"iss": None},
    {"aud": "another-client"},
    {"aud": "another-client", "azp": "teddy-pages"},
    {"aud": ["teddy-pages", "another-client"], "azp": "another-client"},
    {"aud": None},
    {"exp": 1_000_000_000},
    {"exp": None},
    {"iat": None},
    {"sub": None},
    {"nbf": 4_000_000_000},
    {"at_hash": "b2YgYW5vdGhlciB0b2tlbg"},
]


@pytest.mark.parametrize("claims", ID_TOKENS)
async def test_an_id_token_that_is_not_for_this_sign_in(
    at_provider: ProviderSide, claims: dict[str, Any]
):
    at_provider.provider.id_claims = claims
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), 502, ENGLISH.distrusted)


async def test_an_id_token_of_another_key(at_provider: ProviderSide):
    at_provider.provider.key = RSAKey.generate_key(2_048, {"kid": "id-1"})
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), 502, ENGLISH.distrusted)


async def test_an_id_token_of_no_key_though_the_provider_offers_that(at_provider: ProviderSide):
    at_provider.provider.unsigned = True
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), 502, ENGLISH.distrusted)


UNSIGNED = "eyJhbGciOiJub25lIn0.e30."
TOKENS: list[dict[str, Any]] = [
    {"id_token": None},
    {"id_token": 1},
    {"id_token": "nonsense"},
    {"id_token": UNSIGNED},
    {"access_token": None},
    {"access_token": {"a": 1}},
    {"access_token": "ü"},
]


@pytest.mark.parametrize("tokens", TOKENS)
async def test_tokens_that_cannot_be_trusted(at_provider: ProviderSide, tokens: dict[str, Any]):
    at_provider.provider.tokens = tokens
    at_provider.provider.id_claims = {"at_hash": None}
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), 502, ENGLISH.distrusted)


@pytest.mark.parametrize("path", ["/token", "/jwks"])
@pytest.mark.parametrize(
    "answer",
    [
        Response(status_code=500),
        RedirectResponse("http://127.0.0.1:9/", 307),
        Response(b"a" * 70_000),
        Response(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}),
    ],
)
async def test_a_provider_that_fails_on_the_way_back(
    at_provider: ProviderSide, path: str, answer: Response
):
    at_provider.provider.answers[path] = answer
    async with at_provider.browser() as browser:
        refusal = await at_provider.sign_in(browser)
    assert is_refusal(refusal, 503, ENGLISH.away)
    assert refusal.headers["Retry-After"] == "5"


@pytest.mark.parametrize("keys", [[], {}, {"keys": 1}, {"keys": [1]}, {"keys": [{"kty": "RSA"}]}])
async def test_a_key_set_that_is_none(at_provider: ProviderSide, keys: Any):
    at_provider.provider.answers["/jwks"] = JSONResponse(keys)
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), 502, ENGLISH.distrusted)


UNUSUAL: list[Any] = [
    {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "another"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "key_ops": ["another"]},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "x5c": "no list"},
    {"kty": "RSA", "n": "\u00fc", "e": "AQAB"},
    {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    {"kty": []},
    {"n": "AQAB"},
    1,
]


@pytest.mark.parametrize("unusual", UNUSUAL)
async def test_a_key_that_cannot_be_read_spoils_no_others(at_provider: ProviderSide, unusual: Any):
    keys = [unusual, signing_key().as_dict(private=False)]
    at_provider.provider.answers["/jwks"] = JSONResponse({"keys": keys})
    async with at_provider.browser() as browser:
        assert (await at_provider.sign_in(browser)).status_code == 200


async def test_an_unusual_key_beside_a_new_one_spoils_it_neither(at_provider: ProviderSide):
    other = RSAKey.generate_key(2_048, {"kid": "id-0"}).as_dict(private=False)
    answers = at_provider.provider.answers
    answers["/jwks"] = JSONResponse({"keys": [other]})
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), 502, ENGLISH.distrusted)
        keys = [UNUSUAL[0], signing_key().as_dict(private=False)]
        answers["/jwks"] = JSONResponse({"keys": keys})
        assert (await at_provider.sign_in(browser)).status_code == 200


async def test_a_key_to_encrypt_with_signs_nobody_in(at_provider: ProviderSide):
    keys = [signing_key().as_dict(private=False) | {"use": "enc"}]
    at_provider.provider.answers["/jwks"] = JSONResponse({"keys": keys})
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), 502, ENGLISH.distrusted)


async def test_a_key_set_that_is_none_is_not_believed(at_provider: ProviderSide):
    at_provider.provider.answers["/jwks"] = JSONResponse({"keys": [UNUSUAL[0]]})
    async with at_provider.browser() as browser:
        assert is_refusal(await at_provider.sign_in(browser), 502, ENGLISH.distrusted)
        del at_provider.provider.answers["/jwks"]
        assert (await at_provider.sign_in(browser)).status_code == 200


@pytest.mark.parametrize(
    ("path", "content", "status", "text"),
    [
        ("/token", b'{"access_token": "a", "expires_at": [1]}', 503, ENGLISH.away),
        ("/token", b'{"access_token": "a", "expires_at": 1e999}', 503, ENGLISH.away),
        ("/token", b"[1]", 503, ENGLISH.away),
        ("/token", b"1", 503, ENGLISH.away),
        ("/token", b"[" * 60_000, 503, ENGLISH.away),
        ("/jwks", b"[" * 60_000, 502, ENGLISH.distrusted),
        (DISCOVERY, b"[" * 60_000, 503, ENGLISH.away),
    ],
)
async def test_a_provider_that_answers_in_another_form(
    at_provider: ProviderSide, path: str, content: bytes, status: int, text: str
):
    answer = Response(content, media_type="application/json")
    at_provider.provider.answers[path] = answer
    async with at_provider.browser() as browser:
        begun = await browser.get("/sign-in/provider")
        if path != DISCOVERY:
            begun = await at_provider.sign_in(browser)
        assert is_refusal(begun, status, text)


@pytest.mark.parametrize(
    "description",
    [
        {"issuer": "https://other.example"},
        {"authorization_endpoint": "http://provider.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://provider.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"issuer": None},
    ],
)
async def test_a_description_that_nobody_should_follow(
    at_provider: ProviderSide, description: dict[str, Any]
):
    at_provider.provider.description = description
    async with at_provider.browser() as browser:
        assert is_refusal(await browser.get("/sign-in/provider"), 503, ENGLISH.away)


async def test_a_provider_that_is_down_is_asked_again_after_a_pause(
    at_provider: ProviderSide, provider: OpenIdProvider
):
    provider.answers[DISCOVERY] = Response(status_code=500)
    async with at_provider.browser() as browser:
        for _ in range(3):
            assert is_refusal(await browser.get("/sign-in/provider"), 503, ENGLISH.away)
        assert provider.asked == [DISCOVERY]
        del provider.answers[DISCOVERY]
        at_provider.later = 2
        assert (await at_provider.sign_in(browser)).status_code == 200


async def test_a_provider_that_hangs_keeps_nobody_waiting(
    side: QuerySide, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("query_service.pages.provider.SECONDS", 0.2)
    async with answering(None) as hanging:
        provider.issuer = f"http://127.0.0.1:{hanging.port}"
        async with ProviderSide(side, provider).browser() as browser:
            assert is_refusal(await browser.get("/sign-in/provider"), 503, ENGLISH.away)


async def test_a_sign_in_outlives_the_description(
    at_provider: ProviderSide, provider: OpenIdProvider
):
    async with at_provider.browser() as browser:
        address = provider.begun(await at_provider.begin(browser))
        provider.answers[DISCOVERY] = Response(status_code=500)
        at_provider.later = 400
        assert (await browser.get(address)).status_code == 200
        assert provider.asked == [DISCOVERY, DISCOVERY, "/token", "/jwks"]
        at_provider.later = 403
        assert (await at_provider.sign_in(browser)).status_code == 200
        at_provider.later = 4_000
        assert is_refusal(await browser.get("/sign-in/provider"), 503, ENGLISH.away)


async def test_only_so_many_codes_are_exchanged_at_once(
    provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("query_service.pages.provider.MOST_EXCHANGES", 0)
    one = ProviderSide(QuerySide(), provider)
    async with one.browser() as browser:
        address = provider.begun(await one.begin(browser))
        monkeypatch.setattr("query_service.pages.provider.SECONDS", 0.2)
        assert is_refusal(await browser.get(address), 503, ENGLISH.away)
    assert "/token" not in provider.asked


async def test_while_a_provider_is_away_a_sign_in_is_not_ended(
    at_provider: ProviderSide, provider: OpenIdProvider
):
    async with at_provider.browser() as browser:
        address = provider.begun(await at_provider.begin(browser))
        codes = dict(provider.codes)
        provider.answers["/token"] = Response(status_code=500)
        assert is_refusal(await browser.get(address), 503, ENGLISH.away)
        del provider.answers["/token"]
        provider.codes.update(codes)
        assert (await browser.get(address)).status_code == 200


@pytest.mark.parametrize(
    ("redirect", "level"),
    [
        ({"error": "login_required", "code": None}, "info"),
        ({"iss": "https://other.example"}, "info"),
        ({"code": None}, "info"),
        ({"code": "unknown"}, "warning"),
    ],
)
async def test_only_what_the_provider_said_itself_is_a_warning(
    at_provider: ProviderSide, redirect: dict[str, str | None], level: str
):
    at_provider.provider.redirect = redirect
    async with at_provider.browser() as browser:
        with capture_logs() as logs:
            await at_provider.sign_in(browser)
    assert [one["log_level"] for one in logs if one["event"] == "sign_in_failed"] == [level]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_begins_no_sign_in_and_ends_none(at_provider: ProviderSide, site: str):
    async with at_provider.browser() as browser:
        address = at_provider.provider.begun(await at_provider.begin(browser))
        there = {"Sec-Fetch-Site": site}
        answer = await browser.get("/sign-in/provider?to=/dashboard/children/lena", headers=there)
        assert answer.headers["Location"] == "/sign-in?to=%2Fdashboard%2Fchildren%2Flena"
        assert "Set-Cookie" not in answer.headers
        assert (await browser.get(address, headers=there)).status_code == 200


@pytest.mark.parametrize("loopback", ["http://127.0.0.1:9", "https://localhost", "https://[::1]:9"])
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_a_provider_elsewhere_leads_to_nowhere_on_this_machine(loopback: str, name: str):
    issuer = "https://login.example"
    names = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
    described = dict.fromkeys(names, issuer)
    assert Description.model_validate(described).issuer == issuer
    with pytest.raises(ValidationError):
        Description.model_validate(described | {name: loopback})


def test_a_process_forgets_the_oldest_of_what_it_finished(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("query_service.pages.begun_sign_ins.MOST_TAKEN", 2)
    now = 0.0
    sign_ins = BegunSignIns(b"a" * 32, behind_tls=False, now=lambda: now)
    first, second, third = (Begun(state, "", "", "/") for state in "abc")
    assert [sign_ins.take(one) for one in (first, first, second, second)] == [True, False] * 2
    assert sign_ins.take(third)
    assert not sign_ins.take(third)
    sign_ins.give_back(third)
    assert sign_ins.take(third)
    now = SECONDS
    assert sign_ins.take(third)


async def test_what_a_provider_says_of_itself_is_believed_for_five_minutes(
    at_provider: ProviderSide, provider: OpenIdProvider
):
    async with at_provider.browser() as browser:
        await at_provider.begin(browser)
        await at_provider.begin(browser)
        assert provider.asked == [DISCOVERY]
        at_provider.later = 301
        await at_provider.begin(browser)
    assert provider.asked == [DISCOVERY] * 2


async def test_a_secret_goes_into_the_body_where_the_provider_wants_it_there(
    at_provider: ProviderSide, provider: OpenIdProvider
):
    provider.description = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    async with at_provider.browser() as browser:
        assert (await at_provider.sign_in(browser)).status_code == 200


async def test_a_provider_that_does_not_name_itself_need_not(at_provider: ProviderSide):
    at_provider.provider.description = {"authorization_response_iss_parameter_supported": None}
    at_provider.provider.redirect = {"iss": None}
    async with at_provider.browser() as browser:
        assert (await at_provider.sign_in(browser)).status_code == 200


async def test_a_sign_in_ends_after_ten_minutes(at_provider: ProviderSide):
    async with at_provider.browser() as browser:
        address = at_provider.provider.begun(await at_provider.begin(browser))
        at_provider.later = 602
        assert is_refusal(await browser.get(address), 400, ENGLISH.unknown)


async def test_an_answer_counts_once(at_provider: ProviderSide, provider: OpenIdProvider):
    async with at_provider.browser() as browser:
        address = at_provider.provider.begun(await at_provider.begin(browser))
        kept = dict(browser.cookies)
        assert (await browser.get(address)).status_code == 200
        assert is_refusal(await browser.get(address), 400, ENGLISH.unknown)
        # and where a browser keeps the cookie all the same, nobody is asked again
        browser.cookies.update(kept)
        asked = list(provider.asked)
        assert is_refusal(await browser.get(address), 400, ENGLISH.unknown)
        assert provider.asked == asked
    # another process does not know that, but the provider takes its code once
    async with ProviderSide(QuerySide(), provider).browser() as elsewhere:
        elsewhere.cookies.update(kept)
        assert is_refusal(await elsewhere.get(address), 502, ENGLISH.refused)


async def test_an_answer_counts_in_the_browser_that_asked(at_provider: ProviderSide):
    async with at_provider.browser() as victim, at_provider.browser() as attacker:
        address = at_provider.provider.begun(await at_provider.begin(attacker))
        assert is_refusal(await victim.get(address), 400, ENGLISH.unknown)
        await at_provider.begin(victim)
        assert is_refusal(await victim.get(address), 400, ENGLISH.unknown)
        assert "teddy_sign_in" in victim.cookies
    assert "/token" not in at_provider.provider.asked


@pytest.mark.parametrize("cookie", ["", "nonsense", "gAAAAA", "ü", "a" * 5_000])
async def test_a_cookie_that_was_not_made_here_begins_nothing(
    at_provider: ProviderSide, cookie: str
):
    headers = [(b"Cookie", f"teddy_sign_in={cookie}".encode("latin-1"))]
    async with at_provider.browser() as browser:
        answer = await browser.get("/sign-in/callback?code=a&state=b", headers=headers)
    assert is_refusal(answer, 400, ENGLISH.unknown)


async def test_an_answer_that_can_be_read_in_two_ways(at_provider: ProviderSide):
    async with at_provider.browser() as browser:
        address = at_provider.provider.begun(await at_provider.begin(browser))
        assert is_refusal(await browser.get(f"{address}&code=b"), 400, ENGLISH.unknown)


NOW = int(unix_seconds())
UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"role": None}, ENGLISH.role),
    ({"role": "emperor"}, ENGLISH.role),
    ({"role": ["parent"]}, ENGLISH.role),
    ({"aud": "account"}, ENGLISH.audience),
    ({"aud": ["account"]}, ENGLISH.audience),
    ({"aud": None}, ENGLISH.audience),
    ({"iss": "https://other.example"}, ENGLISH.issuer),
    ({"sub": None}, ENGLISH.subject),
    ({"sub": "auth|weiss/1"}, ENGLISH.subject),
    ({"iat": None}, ENGLISH.life),
    ({"exp": None}, ENGLISH.life),
    ({"exp": NOW + 30 * 86_400}, ENGLISH.life),
    ({"exp": NOW - 60}, ENGLISH.signature),
    ({"more": "x" * 4_000}, ENGLISH.length),
]


@pytest.mark.parametrize(("claims", "why"), UNFIT)
async def test_an_access_token_that_is_not_for_this_service_is_said_to_be_so(
    at_provider: ProviderSide, claims: dict[str, Any], why: str
):
    at_provider.provider.access_claims = claims
    async with at_provider.browser() as browser:
        answer = await at_provider.sign_in(browser)
    assert is_refusal(answer, 403, ENGLISH.unfit)
    assert why in answer.text
    assert "eyJ" not in answer.text


@pytest.mark.parametrize("token", ["2YotnFZFEjr1zCsicMWpAA", "a.b.c", UNSIGNED])
async def test_an_access_token_that_is_no_jwt(at_provider: ProviderSide, token: str):
    at_provider.provider.tokens = {"access_token": token}
    at_provider.provider.id_claims = {"at_hash": None}
    async with at_provider.browser() as browser:
        answer = await at_provider.sign_in(browser)
    assert is_refusal(answer, 403, ENGLISH.form)
    assert token not in answer.text


async def test_while_no_token_can_be_judged_pages_say_when_to_come_again(
    at_provider: ProviderSide, monkeypatch: pytest.MonkeyPatch
):
    async def away() -> None:
        raise KeysUnavailable("away")

    monkeypatch.setattr(at_provider.pages.side.verifier._keys, "current", away)
    async with at_provider.browser() as browser:
        answer = await at_provider.sign_in(browser)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_it_is_said_in_german_too(at_provider: ProviderSide):
    at_provider.provider.redirect = {"error": "access_denied"}
    async with at_provider.browser("de") as browser:
        answer = await at_provider.sign_in(browser)
        form = await browser.get("/sign-in")
    assert GERMAN.denied in answer.text
    assert GERMAN.at_provider in form.text


def test_what_failed_on_a_page_is_logged_without_its_words():
    error = ValueError("of a child")
    event = {"logger": "query_service.pages.app", "exc_info": error}
    assert "of a child" not in str(traceback_without_words(None, "error", event))
