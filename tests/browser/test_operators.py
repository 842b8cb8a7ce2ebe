"""What an operator sees, in a real browser over a real stack."""

import os
import signal
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from tests.browser.test_accessibility import KINDS, picture, violations
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


@pytest.mark.parametrize("kind", KINDS)
async def test_the_console_is_for_everybody(
    state: StackState, browser: Browser, kind: str, pytestconfig: pytest.Config
):
    context = await browser.new_context(**KINDS[kind])
    page = await console(state, context)
    await expect(page.locator("#verdict-good")).to_be_visible(timeout=2 * SOON)
    assert await violations(page) == []
    await picture(page, f"console-{kind}", pytestconfig)
    await context.close()


async def test_nothing_is_wider_than_a_phone(state: StackState, browser: Browser):
    narrow: dict[str, Any] = {"viewport": {"width": 320, "height": 700}}
    context = await browser.new_context(**narrow)
    page = await console(state, context)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await context.close()
