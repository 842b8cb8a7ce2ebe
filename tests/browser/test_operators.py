"""What an operator sees, in a real browser over a real stack."""

import os
import signal
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from tests.browser.pictures import picture
from tests.browser.test_accessibility import KINDS, violations
from tests.support import callers
from tests.support.own_servers import state_of

SOON = 30_000
"""Milliseconds until the console shows what happened."""


async def console(state: StackState, context: BrowserContext) -> Page:
    page = await context.new_page()
    token = callers.token(state, Role.ADMIN, "admin-1")
    await page.goto(f"{state.environment['TEDDY_QUERY_URL']}/sign-in#{token}")
    await page.wait_for_url("**/console")
    return page


async def test_a_worker_that_ends_is_seen_without_a_reload_and_so_is_its_return(
    state: StackState, context: BrowserContext, folder: StackFolder
):
    page = await console(state, context)
    await expect(page.locator("#verdict-good")).to_be_visible(timeout=SOON)
    await page.evaluate("window.sameDocument = true")
    # when
    worker = next(one for one in state_of(folder).processes if one.name == "worker")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        await expect(page.locator("#verdict-bad")).to_be_visible(timeout=2 * SOON)
        await expect(page.locator("#flow-worker.broken")).to_be_visible()
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    # then
    await expect(page.locator("#verdict-good")).to_be_visible(timeout=2 * SOON)
    assert await page.evaluate("window.sameDocument")


async def test_a_rebuild_is_begun_from_the_console_and_followed_to_its_end(
    state: StackState, context: BrowserContext
):
    page = await console(state, context)
    generation = page.locator("#generations tr").first
    before = await generation.get_attribute("id")
    # when
    await page.get_by_role("button", name="Rebuild the read models").click()
    await expect(page.get_by_role("status").filter(has_text="Asked for")).to_be_visible()
    await page.evaluate("window.sameDocument = true")
    # then
    newest = page.locator("#operations li").first
    await expect(newest).to_contain_text("Rebuild of the read models: done", timeout=4 * SOON)
    live = page.locator("#generations tr", has_text="live")
    await expect(live).not_to_have_id(before or "", timeout=SOON)
    assert await page.evaluate("window.sameDocument")


async def test_a_redrive_with_nothing_to_do_says_so(state: StackState, context: BrowserContext):
    page = await console(state, context)
    for button, kind in (
        ("Project dead-lettered children again", "Redrive of dead-lettered children"),
        ("Try failed notifications again", "Redrive of failed notifications"),
    ):
        await page.get_by_role("button", name=button).click()
        newest = page.locator("#operations li").first
        await expect(newest).to_contain_text(f"{kind}: done", timeout=2 * SOON)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_console_is_for_everybody(
    state: StackState, browser: Browser, kind: str, pytestconfig: pytest.Config
):
    context = await browser.new_context(**KINDS[kind])
    page = await console(state, context)
    await expect(page.locator("#verdict-good")).to_be_visible(timeout=2 * SOON)
    assert await violations(page) == []
    await picture(page, f"console-{kind}", pytestconfig, height=1_000)
    await context.close()


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
async def test_nothing_is_wider_than_a_phone(state: StackState, browser: Browser, locale: str):
    narrow: dict[str, Any] = {"viewport": {"width": 320, "height": 700}, "locale": locale}
    context = await browser.new_context(**narrow)
    page = await console(state, context)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await context.close()
