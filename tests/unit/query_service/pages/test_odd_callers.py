"""Callers, forms and command APIs that are not as usual: nothing fails, nothing is lost."""

import httpx2
import pytest

from query_service.pages.preferences import preferences_of
from tests.support.pages import PagesSide, form_token_of
from tests.support.query_side import QuerySide, parent

LENA = "11111111-1111-4111-8111-111111111111"
PAGE = f"/dashboard/children/{LENA}"


async def reactivated(pages: PagesSide, *headers: tuple[str, bytes]) -> httpx2.Response:
    async with pages.browser() as browser:
        await pages.sign_in(browser, parent("weiss"))
        fields = {"form_token": form_token_of((await browser.get(PAGE)).text), "version": "1"}
        return await browser.post(
            f"{PAGE}/reactivation",
            data=fields,
            headers=[(name.encode(), value) for name, value in headers],
        )


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    await side.child(LENA, parent_id="weiss")
    return PagesSide(side)


@pytest.mark.parametrize("subject", ["auth0|123", "a@b.example", "a+b%20?#"])
async def test_a_parent_of_any_subject_sees_the_family(side: QuerySide, subject: str):
    await side.child(LENA, parent_id=subject, name="Lena")
    pages = PagesSide(side)
    async with pages.browser() as browser:
        await pages.sign_in(browser, parent(subject))
        page = await browser.get("/dashboard")
    assert page.status_code == 200
    assert "Lena" in page.text


async def test_all_addresses_that_a_form_came_through_are_passed_on(pages: PagesSide):
    lines = [("X-Forwarded-For", b"1.2.3.4"), ("X-Forwarded-For", b"9.9.9.9")]
    await reactivated(pages, *lines)
    (command,) = pages.commands.requests
    assert command.headers["X-Forwarded-For"].startswith("1.2.3.4, 9.9.9.9, ")


async def test_an_address_in_no_ascii_fails_nothing(pages: PagesSide):
    assert (await reactivated(pages, ("X-Forwarded-For", b"\xe4"))).status_code == 303


async def test_an_origin_that_is_no_address_is_elsewhere(pages: PagesSide):
    assert (await reactivated(pages, ("Origin", b"http://[::1"))).status_code == 403


async def test_a_redirect_is_no_command_that_was_done(pages: PagesSide):
    pages.commands.answer = lambda: httpx2.Response(307, headers={"Location": "http://x/"})
    assert "not-saved=" in (await reactivated(pages)).headers["Location"]


def test_preferences_that_are_nested_too_deeply_are_refused():
    with pytest.raises(ValueError, match=r"^$"):
        preferences_of("a: " + "[" * 300 + "]" * 300)
