"""What a safety officer does, in a real browser over a real stack."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from shared.audit.bundle import check_bundle
from shared.auth.access import Role
from shared.clock import new_id
from shared.signing import StatementVerifier, read_jwks
from tests.browser.conftest import Family
from tests.browser.pictures import picture
from tests.browser.test_accessibility import KINDS, violations
from tests.support import callers
from tests.support.waiting import eventually

SOON = 30_000
"""Milliseconds until a page shows what happened."""


async def begin(family: Family, context: BrowserContext) -> Page:
    """The queue, as an officer who is new has it."""
    page = await context.new_page()
    page.on("console", lambda message: family.complaints.append(message.text))
    page.on("pageerror", lambda error: family.complaints.append(str(error)))
    token = callers.token(family.state, Role.SAFETY_OFFICER, f"officer-{new_id()[:8]}")
    await page.goto(f"{family.state.environment['TEDDY_QUERY_URL']}/sign-in#{token}")
    await page.wait_for_url("**/safety")
    return page


async def follow(page: Page, violation: str) -> None:
    """From the queue, once the incident is in it, to its child's page."""
    await page.locator(f"#violation-{violation}").get_by_role("link").click(timeout=SOON)
    await page.wait_for_url("**/safety/children/*")


async def reported(family: Family, severity: str = "critical") -> tuple[str, str]:
    """A child, and an incident that its bear reported."""
    child, bear = await family.child("Jonas Weiss", 9)
    report = await bear.report_safety_violation(child, "personal_data", severity, "An address.")
    return child, report["violation_id"]


async def test_an_incident_is_taken_resolved_and_reopened(
    family: Family, context: BrowserContext, pytestconfig: pytest.Config
):
    # given a queue that is open
    page = await begin(family, context)
    await page.evaluate("window.sameDocument = true")
    # when
    _, violation = await reported(family)
    # then it appears by itself
    row = page.locator(f"#violation-{violation}")
    await expect(row).to_contain_text("just now", timeout=SOON)
    assert await page.evaluate("window.sameDocument")
    # and is taken with one click
    await row.get_by_role("button", name="Take it").click()
    await expect(row).to_contain_text("You look into it", timeout=SOON)
    # and resolved
    await row.get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Jonas Weiss")
    await page.get_by_text("Resolve", exact=True).click()
    await page.get_by_label("Outcome").select_option("confirmed")
    await page.get_by_label("Note").fill("It was the school's.\nSee Monday.")
    await page.get_by_role("button", name="Save").press("Enter")
    await expect(row).to_contain_text("Resolved: confirmed", timeout=SOON)
    await picture(page, "safety-child-light", pytestconfig)
    # and is open no more, but kept with its note
    await page.get_by_role("link", name="All incidents").click()
    await expect(row).to_have_count(0)
    await page.get_by_label("Status").select_option("resolved")
    await page.get_by_role("button", name="Show").click()
    await expect(row).to_contain_text("See Monday.")
    # and is taken back
    await row.get_by_role("link").click()
    await page.get_by_text("Reopen", exact=True).click()
    await page.get_by_label("Reason").fill("Reported again.")
    await page.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("Reported again.", timeout=SOON)
    await page.goto(page.url.partition("/children")[0])
    await expect(row).to_contain_text("Reported again.")
    assert family.complaints == []


async def test_what_is_written_stays_while_the_page_is_brought_up_to_date(
    family: Family, context: BrowserContext
):
    # given a form that somebody writes in
    child, violation = await reported(family)
    page = await begin(family, context)
    await follow(page, violation)
    form = page.locator(f"#resolve-{violation}")
    await form.locator("summary").click()
    await form.get_by_label("Note").press_sequentially("I am wri")
    # when something happens
    officer = await family.client(Role.SAFETY_OFFICER, "officer-2")
    await officer.report_safety_violation(child, "bullying", "low")
    await expect(page.locator("#timeline > li")).to_have_count(2, timeout=SOON)
    # then
    await page.keyboard.type("ting.")
    await expect(form.get_by_label("Note")).to_have_value("I am writing.")
    assert family.complaints == []


async def test_the_keyboard_stays_where_it_is_in_a_list_that_refreshes_itself(
    family: Family, context: BrowserContext
):
    # given
    child, violation = await reported(family)
    page = await begin(family, context)
    row = page.locator(f"#violation-{violation}")
    await expect(row).to_be_visible(timeout=SOON)
    await row.get_by_role("link").focus()
    # when somebody else takes it
    officer = await family.client(Role.SAFETY_OFFICER, "officer-2")
    await officer.assign_safety_violation(child, violation, "officer-2")
    await expect(row).to_contain_text("officer-2 looks into it", timeout=SOON)
    # then
    await expect(row.get_by_role("link")).to_be_focused()


async def test_of_two_who_take_an_incident_at_once_one_has_it(
    family: Family, context: BrowserContext
):
    # given a page that was left open, and does not follow
    child, violation = await reported(family)
    page = await begin(family, context)
    await context.route("**/stream", lambda _: None)
    await follow(page, violation)
    take = page.locator(f"#violation-{violation}").get_by_role("button", name="Take it")
    await expect(take).to_be_visible()
    # when
    officer = await family.client(Role.SAFETY_OFFICER, "officer-2")
    await officer.assign_safety_violation(child, violation, "officer-2", instead_of=None)
    await take.click()
    # then
    row = page.locator(f"#violation-{violation}")
    await expect(row).to_contain_text("officer-2 looks into it", timeout=SOON)
    await expect(page.get_by_role("alert")).to_contain_text("somebody else")


async def test_who_comes_too_late_is_told_why(family: Family, context: BrowserContext):
    # given
    child, violation = await reported(family)
    page = await begin(family, context)
    await follow(page, violation)
    form = page.locator(f"#resolve-{violation}")
    await form.locator("summary").click()
    await form.get_by_label("Outcome").select_option("false_positive")
    # when somebody else is faster
    officer = await family.client(Role.SAFETY_OFFICER, "officer-2")
    await officer.resolve_safety_violation(child, violation, "confirmed")
    await expect(page.locator("#facts")).to_contain_text("0 of 1 open", timeout=SOON)
    await form.get_by_role("button", name="Save").click()
    # then
    await expect(page.get_by_role("alert")).to_contain_text("resolved already")
    await expect(page.locator(f"#violation-{violation}")).to_contain_text("Resolved: confirmed")


async def test_who_looked_is_listed_and_the_evidence_is_a_file_that_verifies(
    family: Family, context: BrowserContext, tmp_path: Path
):
    # given an incident, and an officer who looks at the child
    _child, violation = await reported(family)
    page = await begin(family, context)
    await follow(page, violation)
    # when
    await page.get_by_role("link", name="Who looked at this child").click()
    # then
    table = page.locator("#looks")
    await expect(table).to_contain_text("incident reported")
    await expect(table.locator("tbody tr", has_text="officer-").first).to_contain_text("shown")
    # and the evidence can be had once the trail is signed
    await page.get_by_role("link", name="The child").click()
    evidence = page.locator(f"#evidence-{violation}")
    await evidence.locator("summary").click()
    link = evidence.get_by_role("link")

    async def download() -> Path | None:
        async with page.expect_event("download", timeout=5_000) as begun:
            await link.click()
        file = tmp_path / "evidence.json"
        await (await begun.value).save_as(file)
        return file

    file = await eventually(partial(_unless_late, page, evidence, download), 90)
    assert file is not None
    keys = read_jwks(Path(family.state.environment["TEDDY_PROOF_KEYS_FILE"]))
    report, records = check_bundle(orjson.loads(file.read_bytes()), StatementVerifier(keys))
    assert report.findings == []
    assert "ReportSafetyViolation" in {one["operation"] for one in records}


async def _unless_late(
    page: Page, evidence: Locator, download: Callable[[], Awaitable[Path | None]]
) -> Path | None:
    """None while a page says that nothing is signed yet: that of who looked at the child."""
    try:
        return await download()
    except PlaywrightTimeout:
        await expect(page.get_by_role("alert")).to_contain_text("signed about once a minute")
        await page.get_by_role("link", name="The child").click()
        await evidence.locator("summary").click()
        return None


SENDING = re.compile("Save|Show|Take|Speichern|Anzeigen|Übernehmen|Resolve|Klären")
NARROW: dict[str, Any] = {"viewport": {"width": 320, "height": 700}}


@pytest.mark.parametrize("kind", [*KINDS, "narrow"])
async def test_the_pages_are_for_every_reader_and_every_screen(
    family: Family, browser: Browser, kind: str
):
    # given
    child, violation = await reported(family)
    officer = await family.client(Role.SAFETY_OFFICER, "officer-2")
    await officer.report_safety_violation(child, "a" * 64, "medium", "b" * 300)
    closed = (await officer.report_safety_violation(child, "bullying", "low"))["violation_id"]
    await officer.resolve_safety_violation(child, closed, "confirmed")
    context = await browser.new_context(**KINDS.get(kind, NARROW))
    page = await begin(family, context)
    width = page.viewport_size["width"] if page.viewport_size else 0
    found = {}
    for path in ("?sort=newest&status=all", f"/children/{child}"):
        # when
        await page.goto(f"{page.url.partition('/safety')[0]}/safety{path}")
        await expect(page.locator(f"#violation-{violation}")).to_be_visible(timeout=SOON)
        for summary in await page.locator("summary").all():
            await summary.click()
        # then
        found[path] = await violations(page)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.emulate_media(media="print")
        await expect(
            page.locator("button:visible, summary:visible", has_text=SENDING)
        ).to_have_count(0)
        await page.emulate_media(media="screen")
    await page.get_by_role("link", name=re.compile("Who looked|Wer dieses")).click()
    await expect(page.locator("#looks")).to_be_visible()
    found["looks"] = await violations(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert list(found.values()) == [[], [], []]
    await context.close()
