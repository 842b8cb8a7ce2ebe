"""What a parent does, in a real browser over a real stack."""

import os
import signal

from playwright.async_api import BrowserContext, expect

from deploy.local.state import StackFolder
from tests.browser.conftest import Family
from tests.support.own_servers import state_of

SOON = 30_000
"""Milliseconds until a page shows what happened."""


async def test_a_link_signs_in_and_leaves_no_token_in_the_address(
    family: Family, context: BrowserContext
):
    await family.child("Lena Weiss")
    page = await family.open(context)
    await expect(page.locator("#children")).to_contain_text("Lena Weiss", timeout=SOON)
    assert "#" not in page.url
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/sign-in")
    await page.goto(page.url.replace("sign-in", "dashboard"))
    await page.wait_for_url("**/sign-in")
    assert family.complaints == []


async def test_an_alert_appears_without_a_reload_and_is_acknowledged_with_one_click(
    family: Family, context: BrowserContext
):
    # given a dashboard that is open
    child, bear = await family.child("Lena Weiss")
    page = await family.open(context)
    await expect(page.locator("#no-alerts")).to_be_visible(timeout=SOON)
    await page.evaluate("window.sameDocument = true")
    # when
    await bear.report_safety_violation(child, "personal_data", "high")
    # then
    seen = page.locator("#alerts").get_by_role("button", name="I have seen it")
    await expect(seen).to_be_visible(timeout=SOON)
    assert await page.evaluate("window.sameDocument")
    await seen.press("Enter")
    await expect(page.locator("#alerts li.seen")).to_be_visible(timeout=SOON)
    await expect(seen).to_have_count(0)
    assert family.complaints == []


async def test_updates_survive_a_process_that_ends(
    family: Family, context: BrowserContext, folder: StackFolder
):
    child, bear = await family.child("Lena Weiss")
    page = await family.open(context)
    await expect(page.locator("#children")).to_contain_text("Lena Weiss", timeout=SOON)
    # when
    query = next(one for one in state_of(folder).processes if one.name == "query")
    os.kill(query.pid, signal.SIGKILL)
    await expect(page.locator("#offline")).to_be_visible(timeout=SOON)
    await bear.report_safety_violation(child, "personal_data", "critical")
    # then
    await expect(page.locator("#alerts li.critical")).to_be_visible(timeout=2 * SOON)
    await expect(page.locator("#offline")).to_be_hidden(timeout=SOON)


async def test_a_childs_page_follows_the_child(family: Family, context: BrowserContext):
    child, bear = await family.child("Lena Weiss")
    page = await family.open(context)
    await page.get_by_role("link", name="Lena Weiss").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Lena Weiss")
    talk = await bear.start_conversation(child, topic="space")
    await bear.record_message(child, talk["conversation_id"], "child", 12, topic="space")
    await expect(page.locator("#talks")).to_contain_text("space", timeout=SOON)
    await expect(page.locator("#topics")).to_contain_text("space", timeout=SOON)
    await bear.report_safety_violation(child, "bullying", "medium")
    await expect(page.locator("#timeline")).to_contain_text("bullying", timeout=SOON)
    await page.locator("#timeline").get_by_role("button").click()
    await expect(page.locator("#timeline li.seen")).to_be_visible(timeout=SOON)
    assert family.complaints == []
