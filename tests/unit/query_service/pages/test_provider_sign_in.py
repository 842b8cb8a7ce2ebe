"""Signing in at an OpenID provider, over HTTP, with tokens that it signed."""

import pytest

from tests.support.openid_provider import OpenIdProvider
from tests.support.pages import HERE, PagesSide, form_token_of
from tests.support.provider_side import ProviderSide
from tests.support.query_side import QuerySide


async def test_who_signs_in_there_is_signed_in_here(at_provider: ProviderSide):
    async with at_provider.browser() as browser:
        answer = await at_provider.sign_in(browser)
        dashboard = await browser.get("/dashboard")
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/dashboard">' in answer.text
    assert dashboard.status_code == 200
    assert "lena" in dashboard.text
    assert at_provider.provider.asked == ["/.well-known/openid-configuration", "/token", "/jwks"]


async def test_the_session_is_strict_and_as_short_as_the_token(at_provider: ProviderSide):
    async with at_provider.browser() as browser:
        answer = await at_provider.sign_in(browser)
    session = next(c for c in answer.headers.get_list("Set-Cookie") if "teddy_session=" in c)
    assert "SameSite=strict" in session
    assert "HttpOnly" in session
    life = int(session.partition("Max-Age=")[2].partition(";")[0])
    assert 3_500 < life <= 3_606
    assert answer.headers["Cache-Control"] == "no-store"


async def test_what_is_begun_is_kept_by_this_browser_for_ten_minutes_and_once(
    at_provider: ProviderSide,
):
    async with at_provider.browser() as browser:
        begun = await browser.get("/sign-in/provider")
        cookie = begun.headers["Set-Cookie"]
        assert cookie.startswith("teddy_sign_in=")
        assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Max-Age=600"))
        assert "state" not in cookie
        await at_provider.sign_in(browser)
        assert "teddy_sign_in" not in browser.cookies


async def test_over_tls_what_is_begun_is_this_hosts_and_never_sent_in_clear(
    side: QuerySide, provider: OpenIdProvider
):
    pages = ProviderSide(side, provider, behind_tls=True)
    async with pages.browser() as browser:
        cookie = (await browser.get("/sign-in/provider")).headers["Set-Cookie"]
    assert cookie.startswith("__Host-teddy_sign_in=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie


async def test_each_sign_in_asks_with_values_of_its_own(at_provider: ProviderSide):
    async with at_provider.browser() as browser:
        first, second = [await at_provider.begin(browser) for _ in range(2)]
    own = {"state", "nonce", "code_challenge"}
    assert all(first[name] != second[name] and len(first[name]) >= 20 for name in own)
    assert {name: value for name, value in first.items() if name not in own} == {
        "response_type": "code",
        "client_id": "teddy-pages",
        "redirect_uri": f"{HERE}/sign-in/callback",
        "scope": "openid",
        "code_challenge_method": "S256",
    }


async def test_one_process_finishes_what_another_began(
    at_provider: ProviderSide, provider: OpenIdProvider
):
    other = ProviderSide(QuerySide(), provider)
    other_side = other.pages.side
    provider.forger.key = other_side.forger.key
    async with at_provider.browser() as browser, other.browser() as elsewhere:
        address = provider.begun(await at_provider.begin(browser))
        elsewhere.cookies.update(browser.cookies)
        assert (await elsewhere.get(address)).status_code == 200
        assert (await elsewhere.get("/dashboard")).status_code == 200


async def test_who_wanted_a_page_gets_it_after_signing_in(at_provider: ProviderSide):
    wanted = "/dashboard/children/lena"
    async with at_provider.browser() as browser:
        sent = (await browser.get(wanted)).headers["Location"]
        assert sent == "/sign-in?to=%2Fdashboard%2Fchildren%2Flena"
        assert (
            'href="/sign-in/provider?to=%2Fdashboard%2Fchildren%2Flena"'
            in (await browser.get(sent)).text
        )
        assert f"url={wanted}" in (await at_provider.sign_in(browser, wanted)).text
        assert (await browser.get(wanted)).status_code == 200


ELSEWHERE = [
    "//evil.example",
    "https://evil.example/dashboard",
    "/\\evil.example",
    "/dashboard/../../evil",
    "/dashboard//evil.example",
    "/dashboard?a=1",
    "/dashboard\n/x",
    "/sign-out",
    "/v1/children/lena",
    "/safety",
    "javascript:alert(1)",
    "dashboard",
    '/dashboard"><script>',
    "/dashboard/" + "a" * 300,
    "",
]


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_a_sign_in_leads_nowhere_but_to_own_pages(at_provider: ProviderSide, path: str):
    async with at_provider.browser() as browser:
        form = await browser.get("/sign-in", params={"to": path})
        answer = await at_provider.sign_in(browser, path)
    assert 'content="0; url=/dashboard"' in answer.text
    assert "evil" not in form.text + answer.text
    assert "<script" not in form.text + answer.text


async def test_who_signs_out_is_signed_out(at_provider: ProviderSide):
    async with at_provider.browser() as browser:
        await at_provider.sign_in(browser)
        form_token = form_token_of((await browser.get("/dashboard")).text)
        answer = await browser.post("/sign-out", data={"form_token": form_token})
        assert answer.headers["Location"] == "/sign-in"
        assert (await browser.get("/dashboard")).headers["Location"].startswith("/sign-in?to=")


async def test_a_token_can_still_be_pasted(at_provider: ProviderSide):
    token = at_provider.provider.forger.token(sub="weiss", role="parent")
    async with at_provider.browser() as browser:
        page = await browser.get("/sign-in")
        assert "Sign in at your provider" in page.text
        assert "Access token" in page.text
        answer = await browser.post("/sign-in", data={"token": token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")


async def test_the_policy_of_the_pages_is_not_widened(at_provider: ProviderSide):
    async with at_provider.browser() as browser:
        pages = [await browser.get("/sign-in"), await at_provider.sign_in(browser)]
    for page in pages:
        assert "form-action 'self'" in page.headers["Content-Security-Policy"]
        assert at_provider.provider.issuer not in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/sign-in/provider", "/sign-in/callback?code=a&state=b"])
async def test_without_a_provider_there_is_no_such_page(side: QuerySide, path: str):
    async with PagesSide(side).browser() as browser:
        assert (await browser.get(path)).status_code == 404
        assert "provider" not in (await browser.get("/sign-in")).text.replace("your provider", "")
