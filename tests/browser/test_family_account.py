"""What a parent does with a child's account, in a real browser over a real stack."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Family
from tests.browser.test_accessibility import violations
from tests.support.consents import BORN

SOON = 30_000
"""Milliseconds until a page shows what happened."""

KINDS: dict[str, dict[str, Any]] = {
    "light": {"locale": "en-GB"},
    "dark": {"locale": "de-DE", "color_scheme": "dark"},
    "phone": {"locale": "en-GB", "viewport": {"width": 320, "height": 700}},
}


async def open_child(family: Family, context: BrowserContext, name: str = "Lena Weiss") -> Page:
    page = await family.open(context)
    await expect(page.locator("#children")).to_contain_text(name, timeout=SOON)
    await page.get_by_role("link", name=name).click()
    await page.wait_for_selector("#account")
    return page


async def test_a_profile_is_changed_and_what_is_left_empty_is_removed(
    family: Family, context: BrowserContext
):
    # given
    await family.child("Lena Weiss")
    page = await open_child(family, context)
    # when
    await page.get_by_text("Change profile").click()
    await page.get_by_label("Name").fill("Lena Maria Weiss")
    await page.get_by_label("Age", exact=True).fill("7")
    await page.get_by_label("Interests").fill("space\nmusic")
    await page.get_by_label("Preferences").fill("stories: true")
    await page.get_by_role("button", name="Save").first.click()
    # then
    await expect(page.get_by_role("heading", level=1)).to_have_text("Lena Maria Weiss")
    await expect(page.locator("#account-facts")).to_contain_text("space, music")
    await expect(page.get_by_text("The profile was changed.")).to_be_visible()
    # when
    await page.get_by_text("Change profile").click()
    await page.get_by_label("Interests").fill("")
    await page.get_by_role("button", name="Save").first.click()
    # then
    await expect(page.locator("#account-facts")).not_to_contain_text("space")
    await expect(page.get_by_label("Preferences")).to_have_value("stories: true")
    assert family.complaints == []


async def test_a_form_that_somebody_fills_in_stays_while_the_page_goes_on(
    family: Family, context: BrowserContext
):
    # given
    child, bear = await family.child("Lena Weiss")
    page = await open_child(family, context)
    await page.get_by_text("Change profile").click()
    await page.get_by_label("Name").fill("Half a na")
    await page.get_by_label("Within this many hours").fill("99")
    await page.locator("#withdraw-account summary").click()
    # when
    await bear.report_safety_violation(child, "bullying", "low")
    await expect(page.locator("#timeline")).to_contain_text("bullying", timeout=SOON)
    await page.get_by_role("heading", level=1).click()
    await bear.report_safety_violation(child, "profanity", "low")
    await expect(page.locator("#timeline")).to_contain_text("profanity", timeout=SOON)
    # then
    await expect(page.get_by_label("Name")).to_be_visible()
    await expect(page.get_by_label("Name")).to_have_value("Half a na")
    await expect(page.get_by_label("Within this many hours")).to_have_value("99")
    shown = page.locator("#consent-account input[name=version]")
    await expect(shown).to_have_value(str(BORN + 2))
    await expect(page.locator("#withdraw-account button")).to_be_visible()
    assert family.complaints == []


async def test_an_alert_policy_is_changed(family: Family, context: BrowserContext):
    await family.child("Lena Weiss")
    page = await open_child(family, context)
    await expect(page.get_by_text("These are the usual settings.")).to_be_visible()
    # when
    await page.get_by_label("At once, from this severity on").select_option("critical")
    await page.get_by_label("Also after this many").fill("5")
    await page.locator("#alert-policy").get_by_role("button", name="Save").click()
    # then
    await expect(page.get_by_text("You will be alerted like this")).to_be_visible()
    await expect(page.get_by_label("At once, from this severity on")).to_have_value("critical")
    await expect(page.get_by_label("Also after this many")).to_have_value("5")
    await expect(page.get_by_text("These are the usual settings.")).to_have_count(0)
    assert family.complaints == []


async def test_a_consent_is_withdrawn_given_and_withdrawn_again(
    family: Family, context: BrowserContext
):
    await family.child("Lena Weiss")
    page = await open_child(family, context)
    consent = page.locator("#consent-conversations")
    today = consent.locator("> p")
    for _ in range(2):
        await consent.get_by_text("Withdraw: Conversations").click()
        await consent.get_by_role("button").click()
        await expect(today).to_contain_text("withdrawn", timeout=SOON)
        await consent.get_by_text("Give consent: Conversations").click()
        await consent.get_by_label("I have read the privacy notice 2026-11.").check()
        await consent.get_by_role("button").click()
        await expect(today).not_to_contain_text("withdrawn", timeout=SOON)
    # then each of them is in the history
    await page.get_by_role("link", name="How the consents changed").click()
    changes = page.locator("#changes tbody tr").filter(has_text="Conversations")
    await expect(changes).to_have_count(5)
    await expect(changes.first).to_contain_text("the parent")
    assert family.complaints == []


async def test_a_child_is_deactivated_and_reactivated(family: Family, context: BrowserContext):
    await family.child("Lena Weiss")
    page = await open_child(family, context)
    data = page.locator("#data")
    await data.locator("summary", has_text="Deactivate").click()
    await data.get_by_label("Reason").fill("The bear was given away.")
    await data.get_by_role("button", name="Deactivate").click()
    await expect(page.locator("#account-facts")).to_contain_text("deactivated", timeout=SOON)
    await data.get_by_role("button", name="Reactivate").click()
    await expect(page.locator("#account-facts")).not_to_contain_text("deactivated", timeout=SOON)
    assert family.complaints == []


async def test_a_child_is_taken_along_erased_and_its_receipt_kept(
    family: Family, context: BrowserContext, tmp_path: Path
):
    # given
    await family.child("Lena Weiss")
    page = await open_child(family, context)
    address = page.url
    # when it is taken along
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download everything").click()
    await (await download.value).save_as(tmp_path / "child.jsonl")
    # then
    lines = (tmp_path / "child.jsonl").read_text(encoding="utf-8").split("\n")
    assert json.loads(lines[-2])["kind"] == "end"
    # when another name is typed
    await page.get_by_role("link", name="Erase all data").click()
    await page.get_by_label("To confirm, type: Lena Weiss").fill("Lena")
    await page.get_by_role("button", name="Erase for good").click()
    await expect(page.get_by_role("alert")).to_contain_text("Nothing was erased.")
    # when the child's own is
    await page.get_by_label("To confirm, type: Lena Weiss").fill("Lena Weiss")
    await page.get_by_role("button", name="Erase for good").click()
    # then
    await page.wait_for_url("**/erasure-receipt")
    await expect(page.get_by_text("Everything was removed.")).to_be_visible(timeout=SOON)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download the receipt").click()
    await (await download.value).save_as(tmp_path / "receipt.json")
    assert json.loads((tmp_path / "receipt.json").read_text(encoding="utf-8"))["receipt"]
    await page.goto(address)
    await page.wait_for_url("**/erasure-receipt")
    assert family.complaints == []


@pytest.mark.parametrize("kind", KINDS)
async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, family: Family, kind: str
):
    await family.child("Jonas Maximilian Weissenberger-Hohenfels")
    context = await browser.new_context(**KINDS[kind])
    page = await open_child(family, context, "Jonas Maximilian")
    found: dict[str, list[str]] = {}
    # given everything that can be opened is, and something is wrong
    await page.goto(f"{page.url}?not-saved=invalid-request&wrong=age")
    for summary in await page.locator("summary").all():
        await summary.click()
    found["child"] = await complaints_about(page, f"child-{kind}")
    child = page.url.partition("?")[0]
    await page.goto(f"{child}/consents")
    await expect(page.locator("#changes")).to_be_visible()
    found["consents"] = await complaints_about(page, f"consents-{kind}")
    await page.goto(f"{child}/erasure")
    found["erasure"] = await complaints_about(page, f"erasure-{kind}")
    await page.locator("input#name").fill("Jonas Maximilian Weissenberger-Hohenfels")
    await page.locator("button.danger").click()
    await page.wait_for_url("**/erasure-receipt")
    await expect(page.locator("#receipt-state .good")).to_be_visible(timeout=SOON)
    found["receipt"] = await complaints_about(page, f"receipt-{kind}")
    await context.close()
    assert found == {"child": [], "consents": [], "erasure": [], "receipt": []}


async def complaints_about(page: Page, name: str) -> list[str]:
    await page.screenshot(path=f"/tmp/family-{name}.png", full_page=True)
    wide = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return [*await violations(page), *([f"{wide} pixels too wide"] if wide > 0 else [])]
