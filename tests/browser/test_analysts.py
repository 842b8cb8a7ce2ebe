"""What an analyst does, in a real browser over a real stack."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from deploy.local.state import StackState
from shared.auth.access import Role
from tests.browser.conftest import Family
from tests.browser.pictures import picture
from tests.browser.test_accessibility import KINDS, something_happens, violations
from tests.support import callers
from tests.support.waiting import eventually

SOON = 30_000
"""Milliseconds until a page shows what happened."""

WRONG = "SELECT severity,\n  count(nope) AS n\nFROM violations GROUP BY 1"
REFUSED = "the server responded with a status of 422"
SHORT = "SELECT severity, count(*) AS n FROM violations GROUP BY severity"


@pytest.fixture
async def world(family: Family) -> Family:
    """A family to which something happened."""
    await something_happens(family)
    return family


async def opened(context: BrowserContext, state: StackState, complaints: list[str]) -> Page:
    """The numbers, as an analyst who has signed in sees them once they are there."""
    page = await context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    token = callers.token(state, Role.ANALYST, "analyst-1")
    await page.goto(f"{state.environment['TEDDY_QUERY_URL']}/sign-in#{token}")
    await page.wait_for_url("**/analytics")
    await expect(page.locator("svg.plot")).to_have_count(8, timeout=2 * SOON)
    return page


@pytest.fixture
async def page(context: BrowserContext, world: Family, state: StackState) -> Page:
    return await opened(context, state, world.complaints)


async def test_an_analyst_sees_plots_with_their_numbers_and_opens_one_as_sql(
    page: Page, world: Family
):
    registrations = page.locator("#plot-registrations")
    await registrations.locator("summary").click()
    await expect(registrations.locator("tbody tr")).to_have_count(30)
    await page.get_by_label("Period").select_option("90 days")
    await page.get_by_role("button", name="Show").click()
    await page.wait_for_url("**/analytics?days=90")
    await expect(page.locator("#plot-minutes tbody tr")).to_have_count(90)
    await page.get_by_role("link", name="Open as SQL: Incidents by severity").click()
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator("#result tbody tr")).to_have_count(90)
    assert world.complaints == []


async def test_an_error_is_shown_at_its_place_and_the_statement_is_kept(page: Page, world: Family):
    await page.get_by_role("link", name="SQL", exact=True).click()
    await page.get_by_role("textbox", name="Statement").fill(WRONG)
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator("#place")).to_contain_text("2 |   count(nope) AS n")
    await expect(page.get_by_role("textbox", name="Statement")).to_have_value(WRONG)
    assert all(REFUSED in complaint for complaint in world.complaints)


async def test_results_are_downloaded_as_files(page: Page, world: Family, tmp_path: Path):
    await page.get_by_role("link", name="SQL", exact=True).click()
    await page.get_by_role("textbox", name="Statement").fill("SELECT * FROM activity")
    for kind, name in (("csv", "CSV"), ("json", "JSON"), ("parquet", "Parquet")):
        async with page.expect_download() as download:
            await page.get_by_role("button", name=f"Download: {name}").click()
        file = await download.value
        assert file.suggested_filename == f"answer.{kind}"
        await file.save_as(tmp_path / file.suggested_filename)
    of_csv = duckdb.read_csv(str(tmp_path / "answer.csv")).fetchall()
    assert len(of_csv) >= 2
    assert sorted(of_csv) == sorted(
        duckdb.read_parquet(str(tmp_path / "answer.parquet")).fetchall()
    )
    assert world.complaints == []


@pytest.mark.parametrize("kind", KINDS)
async def test_axe_finds_nothing_to_complain_about(
    kind: str, browser: Browser, world: Family, state: StackState, pytestconfig: pytest.Config
):
    context = await browser.new_context(**KINDS[kind])
    page = await opened(context, state, world.complaints)
    await page.locator("#plot-violations summary").click()
    found = {"numbers": await violations(page)}
    await page.locator("#plot-violations summary").click()
    await picture(page, f"analytics-{kind}", pytestconfig)
    await run(page, SHORT, "#result table")
    await page.locator("#table-violations summary").click()
    found["result"] = await violations(page)
    await picture(page, f"sql-{kind}", pytestconfig)
    await run(page, WRONG, "#place")
    found["error"] = await violations(page)
    await context.close()
    assert found == {"numbers": [], "result": [], "error": []}


async def run(page: Page, sql: str, shown: str) -> None:
    """Until `shown` is there."""
    await page.goto(page.url.partition("/analytics")[0] + "/analytics/sql")
    await page.locator("#sql").fill(sql)
    await page.locator("button[value=table]").click()
    await page.wait_for_selector(shown)


NARROW: dict[str, Any] = {"viewport": {"width": 320, "height": 700}, "locale": "en-GB"}


async def test_nothing_is_wider_than_a_phone(browser: Browser, world: Family, state: StackState):
    context = await browser.new_context(**NARROW)
    page = await opened(context, state, world.complaints)
    widths = [await width(page)]
    wide = "SELECT *, repeat('long ', 50) AS text, repeat('x', 200) AS word FROM children"
    for sql, shown in ((wide, "#result table"), (f"SELECT '{'x' * 300}', nope", "#place")):
        await run(page, sql, shown)
        widths.append(await width(page))
    await context.close()
    assert max(widths) <= 320


async def width(page: Page) -> int:
    found: int = await page.evaluate("document.documentElement.scrollWidth")
    return found


async def test_tables_that_are_wider_scroll_by_keyboard(page: Page):
    await page.set_viewport_size({"width": 320, "height": 700})
    await run(page, "SELECT * FROM children", "#result table")
    region = page.locator("#result .wide")
    await region.press("ArrowRight")
    await eventually(lambda: region.evaluate("region => region.scrollLeft"))
