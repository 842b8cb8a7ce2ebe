"""The console's part about the requests of the process that answers."""

import re
from dataclasses import fields

import pytest

from query_service.pages.operators import OWN
from query_service.pages.texts_of_requests import REQUESTS_IN_ENGLISH, REQUESTS_IN_GERMAN
from shared.http.recent_requests import MOST_REFUSALS, recent_requests_of
from tests.support.pages import PagesSide
from tests.support.query_side import ADMIN, QuerySide, parent


@pytest.fixture
def pages(side: QuerySide) -> PagesSide:
    side.store.through = side.now
    return PagesSide(side)


async def shown(pages: PagesSide, language: str = "en") -> str:
    async with pages.browser(**{"Accept-Language": language}) as browser:
        await pages.sign_in(browser, ADMIN)
        page = await browser.get("/console")
    assert page.status_code == 200, page.text
    return page.text


def part(page: str, name: str) -> str:
    """What is within the element of this id."""
    found = re.search(rf'<(\w+) id="{name}".*?</\1>', page, re.DOTALL)
    assert found is not None
    return found[0]


async def test_what_was_asked_for_is_shown_with_how_long_it_took(pages: PagesSide):
    # given
    recent = recent_requests_of(pages.side.app)
    recent.answered("SearchChildren", recent.now() - 0.75, 200)
    # when
    page = await shown(pages)
    # then
    assert REQUESTS_IN_ENGLISH.title in page
    assert re.search(r"<dd>7\d\d(\.\d+)? ms</dd>", part(page, "requests-p99"))
    row = part(page, "slowest-SearchChildren")
    assert re.search(r"<td>75\d(\.\d)? ms</td><th .*</th><td>200</td>", row)
    assert REQUESTS_IN_ENGLISH.own not in row


async def test_what_the_page_itself_asks_for_is_marked_as_its_own(pages: PagesSide):
    await shown(pages)
    page = await shown(pages)
    for operation in OWN:
        assert REQUESTS_IN_ENGLISH.own in part(page, f"slowest-{operation}")


async def test_refusals_are_shown_with_code_operation_and_caller(pages: PagesSide):
    # given
    await pages.side.get("/v1/children/lena", parent("weiss"))
    await pages.side.get("/v1/cache", parent("weiss"))
    await pages.side.get("/v1/nothing", parent("weiss"))
    # when
    page = await shown(pages)
    # then
    assert "<code>forbidden</code>: 1" in part(page, "refused-by-code")
    refusals = part(page, "refusals")
    rows = re.findall(r'<code>(.*?)</code></td><th scope="row">(.*?)</th><td>(.*?)</td>', refusals)
    assert rows == [
        ("not-found", REQUESTS_IN_ENGLISH.not_known, REQUESTS_IN_ENGLISH.not_known),
        ("forbidden", "GetCacheStatistics", "parent"),
        ("child-not-found", "GetChildProfile", "parent"),
    ]
    assert REQUESTS_IN_ENGLISH.more.format(10) not in page


async def test_of_many_refusals_the_last_are_shown_and_where_the_others_are(pages: PagesSide):
    for _ in range(2 * MOST_REFUSALS):
        await pages.side.get("/v1/nothing")
    page = await shown(pages)
    assert part(page, "refusals").count("not-found") == 10
    assert REQUESTS_IN_ENGLISH.more.format(10) in page


async def test_of_a_process_that_just_started_the_page_says_that_there_is_nothing_yet(
    pages: PagesSide,
):
    page = await shown(pages)
    assert REQUESTS_IN_ENGLISH.none_refused in part(page, "refusals")
    assert REQUESTS_IN_ENGLISH.none_lately in part(page, "refused-by-code")


async def test_where_nothing_was_answered_there_are_no_durations(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recent_requests_of(pages.side.app), "answered", lambda *_: None)
    page = await shown(pages)
    assert REQUESTS_IN_ENGLISH.none_answered in part(page, "slowest")
    for name in ("requests-p50", "requests-p99"):
        assert " ms" not in part(page, name)


async def test_every_text_is_there_in_german(pages: PagesSide):
    page = await shown(pages, "de")
    assert REQUESTS_IN_GERMAN.none_refused in page
    for one in fields(REQUESTS_IN_ENGLISH):
        english = getattr(REQUESTS_IN_ENGLISH, one.name)
        if english != getattr(REQUESTS_IN_GERMAN, one.name) and "{" not in english:
            assert f">{english}<" not in page
