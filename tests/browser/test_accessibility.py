"""Pages for everybody: screen readers, phones, the dark; and what they look like."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Family
from tests.browser.pictures import picture

KINDS: dict[str, dict[str, Any]] = {
    "light": {"locale": "en-GB"},
    "dark": {"locale": "de-DE", "color_scheme": "dark"},
    "phone": {"locale": "en-GB", "viewport": {"width": 390, "height": 844}},
}
PAGES = ("sign-in", "dashboard", "child")


@pytest.fixture(params=KINDS)
async def shown(
    request: pytest.FixtureRequest, browser: Browser, family: Family
) -> AsyncIterator[tuple[str, Page]]:
    """The kind, and the dashboard of a family to which something happened."""
    await something_happens(family)
    context = await browser.new_context(**KINDS[request.param])
    page = await family.open(context)
    await expect(page.locator("#alerts li.alert")).to_have_count(2, timeout=30_000)
    yield request.param, page
    await context.close()


async def something_happens(family: Family) -> None:
    for name, age, severity in (("Mia Weiss", 4, None), ("Jonas Weiss", 9, "critical")):
        child, bear = await family.child(name, age)
        for topic in ("space", "animals", "letters"):
            talk = (await bear.start_conversation(child, topic=topic))["conversation_id"]
            await bear.record_message(child, talk, "child", 12, topic=topic)
            await bear.record_message(child, talk, "bear", 20, topic=topic)
            await bear.end_conversation(child, talk)
        if severity is not None:
            await bear.report_safety_violation(child, "personal_data", severity, "An address.")
            await bear.report_safety_violation(child, "bullying", "high")


async def test_axe_finds_nothing_to_complain_about(
    shown: tuple[str, Page], pytestconfig: pytest.Config
):
    kind, page = shown
    found = {"dashboard": await violations(page)}
    await picture(page, f"dashboard-{kind}", pytestconfig)
    await page.get_by_role("link", name="Jonas Weiss").first.click()
    await page.wait_for_selector("#talks")
    found["child"] = await violations(page)
    await picture(page, f"child-{kind}", pytestconfig)
    await page.locator("form[action='/sign-out'] button").click()
    await page.wait_for_url("**/sign-in")
    found["sign-in"] = await violations(page)
    assert found == {name: [] for name in PAGES}


async def violations(page: Page) -> list[str]:
    """Rule and place of each."""
    results = await Axe().run(page)
    return [
        f"{one['id']}: {node['html']}"
        for one in results.response["violations"]
        for node in one["nodes"]
    ]


async def test_nothing_is_wider_than_a_phone(browser: Browser, family: Family):
    await something_happens(family)
    context = await browser.new_context(viewport={"width": 320, "height": 700})
    page = await family.open(context)
    for link in (None, "Jonas Weiss"):
        if link is not None:
            await page.get_by_role("link", name=link).first.click()
            await page.wait_for_selector("#talks")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await context.close()
