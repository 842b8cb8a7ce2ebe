"""The operators' console: whether anything is stale, and where to begin."""

from dataclasses import fields, replace
from datetime import timedelta
from functools import partial

import httpx2
import pytest

from query_service.pages.operators import BROKEN, FLOW, REMEDIES
from query_service.pages.texts_of_console import CONSOLE_ENGLISH, CONSOLE_GERMAN
from query_service.queries.get_system_status import FindingCode
from query_service.read_store.business_figures import BusinessFigures
from query_service.read_store.operations import DeadLetteredChild, Operations
from query_service.read_store.port import ReadStoreUnavailable
from shared.auth.access import Principal, Role
from shared.read_models.deliveries import OpenDeliveries
from shared.read_models.generations import Catalog, Generation, KeptGeneration
from tests.support.pages import PagesSide
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, parent

LENA = "11111111-1111-4111-8111-111111111111"
LIVE = Generation(1)
WELL = Operations(Catalog(LIVE, (KeptGeneration(LIVE, 7),)), workers={"<worker>-1": 7})


@pytest.fixture
def pages(side: QuerySide) -> PagesSide:
    side.store.known, side.store.through = WELL, side.now
    return PagesSide(side)


async def shown(
    pages: PagesSide, reader: Principal = ADMIN, language: str = "en"
) -> httpx2.Response:
    async with pages.browser(**{"Accept-Language": language}) as browser:
        await pages.sign_in(browser, reader)
        return await browser.get("/console")


async def test_an_admin_begins_at_the_console(pages: PagesSide):
    async with pages.browser() as browser:
        answer = await pages.sign_in(browser, ADMIN)
    assert answer.headers["Location"] == "/console"


async def test_the_first_thing_to_read_is_that_nothing_is_stale(pages: PagesSide):
    page = await shown(pages)
    assert page.status_code == 200
    assert CONSOLE_ENGLISH.good in page.text
    assert "broken" not in page.text
    assert "&lt;worker&gt;-1" in page.text


async def test_each_finding_is_said_with_where_to_begin_and_marks_its_part_of_the_flow(
    pages: PagesSide,
):
    # given
    child = DeadLetteredChild(LENA, pages.side.now, "<b>UndecodableEvent</b>")
    failed = OpenDeliveries(3, pages.side.now)
    pages.side.store.known = replace(
        WELL, dead_lettered=1, children=[child], deliveries={("email", "failed"): failed}
    )
    pages.side.store.through = pages.side.now - timedelta(minutes=5)
    # when
    page = (await shown(pages)).text
    # then
    assert CONSOLE_ENGLISH.bad.format(3) in page
    for code in ("read-models-late", "children-dead-lettered", "deliveries-failed"):
        assert CONSOLE_ENGLISH.findings[code] in page
        assert REMEDIES[code] in page
    assert page.count('class="broken"') == 2
    assert f"teddy dead-letter show --child {LENA}" in page
    assert "<b>" not in page


async def test_what_the_console_shows_is_on_record_as_the_apis_own_answer(pages: PagesSide):
    await shown(pages)
    recorded = {record.operation for record in pages.side.audit.entries}
    assert recorded == {
        "GetSystemStatus",
        "GetOperations",
        "GetSystemAnalytics",
        "GetCacheStatistics",
        "GetSystemProtection",
    }


@pytest.mark.parametrize(
    "other", [parent("weiss"), OFFICER, ANALYST, Principal("bear", Role.DEVICE)]
)
async def test_nobody_else_sees_it(pages: PagesSide, other: Principal):
    page = await shown(pages, other)
    assert page.status_code == 403
    assert "worker" not in page.text


async def test_while_the_read_store_is_away_the_page_says_so(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    async def away() -> Operations:
        raise ReadStoreUnavailable("hangs")

    monkeypatch.setattr(pages.side.store, "operations", away)
    page = await shown(pages)
    assert page.status_code == 503


async def test_numbers_that_cannot_be_counted_take_nothing_else_away(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    async def late(_now: object) -> BusinessFigures:
        raise ReadStoreUnavailable("late")

    monkeypatch.setattr(pages.side.store, "figures", late)
    monkeypatch.setattr(pages.side.store, "system_counters", partial(late, None))
    page = await shown(pages)
    assert page.status_code == 200
    assert CONSOLE_ENGLISH.good in page.text
    assert 'id="no-numbers"' in page.text


async def test_every_text_is_there_in_german(pages: PagesSide):
    page = (await shown(pages, language="de")).text
    assert CONSOLE_GERMAN.good in page
    same = {"console", "state", "workers", "query", "relay"}
    for one in fields(CONSOLE_ENGLISH):
        english = getattr(CONSOLE_ENGLISH, one.name)
        if isinstance(english, str) and one.name not in same and "{" not in english:
            assert f">{english}<" not in page


def test_every_finding_of_the_api_has_a_text_a_place_and_a_remedy():
    codes = {code.value for code in FindingCode}
    assert codes == BROKEN.keys() == REMEDIES.keys()
    for texts in (CONSOLE_ENGLISH, CONSOLE_GERMAN):
        assert texts.findings.keys() == codes
        assert texts.parts.keys() == set(FLOW) >= set(BROKEN.values())
