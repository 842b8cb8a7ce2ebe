"""Who is signed in, for how long, and that nothing but these pages can act for them."""

import pytest

from shared.auth.keys import KeysUnavailable
from shared.clock import unix_seconds
from tests.support.pages import PagesSide, form_token_of
from tests.support.query_side import OFFICER, QuerySide, parent

WEISS = parent("weiss")
SEEN = "/dashboard/children/lena/violations/v1/acknowledgement"


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    await side.child("lena", parent_id="weiss")
    side.alert("a1", child_id="lena", parent_id="weiss", violation_id="v1")
    return PagesSide(side)


async def test_a_session_is_a_cookie_that_no_script_and_no_other_site_has(pages: PagesSide):
    async with pages.browser() as browser:
        answer = await pages.sign_in(browser, WEISS)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("teddy_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    # as long as the token, which was made for an hour
    life = int(cookie.partition("Max-Age=")[2].partition(";")[0])
    assert 3_500 < life <= 3_606


async def test_over_tls_the_cookie_is_this_hosts_and_never_sent_in_clear(side: QuerySide):
    pages = PagesSide(side, behind_tls=True)
    async with pages.browser() as browser:
        answer = await pages.sign_in(browser, WEISS)
        page = await browser.get("/sign-in")
    assert answer.headers["Set-Cookie"].startswith("__Host-teddy_session=")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "Path=/;" in answer.headers["Set-Cookie"] + ";"
    assert "max-age" in page.headers["Strict-Transport-Security"]


async def test_a_token_that_is_not_good_signs_nobody_in(pages: PagesSide):
    async with pages.browser() as browser:
        for token in ("", "nonsense", pages.token(WEISS)[:-4] + "AAAA", "a" * 9_000, "<script>"):
            answer = await browser.post("/sign-in", data={"token": token})
            assert answer.status_code == 401
            assert "not valid" in answer.text
            assert "Set-Cookie" not in answer.headers
            assert "<script>" not in answer.text


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/children/lena"])
@pytest.mark.parametrize("cookie", [None, "", "nonsense", "a.b.c", "ü"])
async def test_without_a_session_a_page_leads_to_the_sign_in(
    pages: PagesSide, path: str, cookie: str | None
):
    cookies = [] if cookie is None else [(b"Cookie", f"teddy_session={cookie}".encode("latin-1"))]
    async with pages.browser() as browser:
        answer = await browser.get(path, headers=cookies)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


async def test_a_page_does_not_take_a_bearer_token(pages: PagesSide):
    async with pages.browser(**pages.side.bearer(WEISS)) as browser:
        answer = await browser.get("/dashboard")
    assert answer.headers["Location"] == "/sign-in"


async def test_the_api_does_not_take_the_cookie(pages: PagesSide):
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        answer = await browser.get("/v1/children/lena")
    assert answer.status_code == 401


async def test_who_signs_out_is_signed_out(pages: PagesSide):
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        form_token = form_token_of((await browser.get("/dashboard")).text)
        answer = await browser.post("/sign-out", data={"form_token": form_token})
        assert answer.headers["Location"] == "/sign-in"
        assert (await browser.get("/dashboard")).headers["Location"] == "/sign-in"


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_another_site_can_neither_sign_in_nor_send_a_form(
    pages: PagesSide, headers: dict[str, str]
):
    async with pages.browser() as browser:
        login = await browser.post("/sign-in", data={"token": pages.token(WEISS)}, headers=headers)
        assert (login.status_code, "Set-Cookie" in login.headers) == (403, False)
        await pages.sign_in(browser, WEISS)
        form_token = form_token_of((await browser.get("/dashboard")).text)
        sent = await browser.post(SEEN, data={"form_token": form_token}, headers=headers)
    assert sent.status_code == 403
    assert pages.commands.requests == []


async def test_a_form_of_another_session_or_of_none_is_refused(pages: PagesSide):
    async with pages.browser() as browser, pages.browser() as other:
        await pages.sign_in(browser, WEISS)
        await pages.sign_in(other, parent("braun"))
        others = form_token_of((await other.get("/dashboard")).text)
        for data in ({"a": "1"}, {"form_token": ""}, {"form_token": others}, {"form_token": "ü"}):
            sent = await browser.post(SEEN, data=data)
            assert sent.status_code == 403
    assert pages.commands.requests == []


REFUSED_BODIES: list[tuple[dict[str, str], bytes, int]] = [
    ({"Content-Type": "application/json"}, b"{}", 415),
    ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 415),
    ({}, b"form_token=a", 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&a=2", 400),
    ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=%ff\xff", 400),
    ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&" * 40, 400),
    ({"Content-Type": "application/x-www-form-urlencoded"}, b"a" * 70_000, 413),
]


@pytest.mark.parametrize(("headers", "body", "status"), REFUSED_BODIES)
@pytest.mark.parametrize("path", ["/sign-in", SEEN])
async def test_what_is_no_form_is_refused(
    pages: PagesSide, path: str, headers: dict[str, str], body: bytes, status: int
):
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        answer = await browser.post(path, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert pages.commands.requests == []


async def test_who_is_no_parent_is_told_so(pages: PagesSide):
    async with pages.browser() as browser:
        await pages.sign_in(browser, OFFICER)
        answer = await browser.get("/dashboard")
    assert answer.status_code == 403
    assert "another role" in answer.text


async def test_a_link_signs_in_only_where_the_operator_said_so(side: QuerySide, pages: PagesSide):
    linked = PagesSide(QuerySide(), by_link=True)
    async with pages.browser() as browser, linked.browser() as other:
        assert "<script" not in (await browser.get("/sign-in")).text
        assert "<script" in (await other.get("/sign-in")).text


async def test_a_token_that_no_browser_keeps_is_refused(pages: PagesSide):
    long = pages.side.forger.token(role="parent", sub="weiss", more="x" * 3_000)
    async with pages.browser() as browser:
        assert (await browser.post("/sign-in", data={"token": long})).status_code == 401


async def test_an_expired_token_ends_the_session(pages: PagesSide):
    expired = pages.side.forger.token(exp=int(unix_seconds()) - 60)
    async with pages.browser(Cookie=f"teddy_session={expired}") as browser:
        answer = await browser.get("/dashboard")
    assert answer.headers["Location"] == "/sign-in"


async def test_while_no_token_can_be_judged_pages_say_when_to_come_again(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    async def away() -> None:
        raise KeysUnavailable("away")

    monkeypatch.setattr(pages.side.verifier._keys, "current", away)
    async with pages.browser(Cookie=f"teddy_session={pages.token(WEISS)}") as browser:
        for answer in (
            await browser.get("/dashboard"),
            await browser.post("/sign-in", data={"token": pages.token(WEISS)}),
        ):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert answer.headers["Content-Type"].startswith("text/html")
