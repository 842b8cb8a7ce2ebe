"""What officers see of the audit trail, and the evidence that they download."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import httpx2
import orjson
import pytest

from query_service.pages.texts_of_looks import LOOKS_IN_ENGLISH, LOOKS_IN_GERMAN
from shared.audit.bundle import check_bundle
from shared.auth.access import ACCESS, Principal, Role
from tests.support.child_facts import ADA, VIOLATION
from tests.support.incidents import incident, look
from tests.support.pages import PagesSide
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, parent
from tests.support.rate_limits import limits_of
from tests.support.read_model_builders import violation

ON = f"/safety/children/{ADA}"
LOOKS, EVIDENCE = f"{ON}/looks", f"{ON}/violations/{VIOLATION}/evidence"
ABOUT_NO_CHILD = {
    "StartOperation",
    "GetSystemAnalytics",
    "GetSystemSeries",
    "GetSystemStatus",
    "GetSystemProcesses",
    "GetOperations",
    "GetSystemProtection",
    "RunSql",
    "GetSqlTables",
    "GetCommandBus",
    "GetQueryBus",
    "GetCacheStatistics",
    "GetRecentRequests",
    "ClearCache",
}


async def pages_of(side: QuerySide) -> PagesSide:
    await incident(side)
    await side.child(ADA, parent_id="parent-ada", name="Ada")
    side.report(ADA, violation(VIOLATION))
    return PagesSide(side)


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    return await pages_of(side)


async def shown(
    pages: PagesSide, path: str, who: Principal = OFFICER, language: str = "en"
) -> httpx2.Response:
    async with pages.browser(**{"Accept-Language": language}) as browser:
        await pages.sign_in(browser, who)
        return await browser.get(path)


def rows(page: httpx2.Response) -> list[list[str]]:
    """The texts of the table, row by row."""
    found = re.findall(r"<tr><td>.*?</tr>", page.text)
    cells = (re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in found)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cells]


async def test_who_looked_stands_in_a_table_the_newest_first(pages: PagesSide, side: QuerySide):
    side.trail.write(
        look("officer-9", side, at=side.now + timedelta(hours=1), outcome="too-many-requests")
    )
    newest, *others = rows(await shown(pages, LOOKS))
    assert newest == [
        "23 Nov 2026, 13:00 UTC",
        "officer-9 safety officer",
        "profile",
        "refused (too-many-requests)",
        "192.0.2.7",
    ]
    (family,) = [row for row in others if row[1:4] == ["parent-ada parent", "profile", "shown"]]
    assert family[4] == "\N{EN DASH}"
    assert ["officer-1 safety officer", "incident reported", "done"] in [row[1:4] for row in others]


async def test_it_is_said_in_german_too(pages: PagesSide):
    page = await shown(pages, LOOKS, language="de")
    assert "Wer dieses Kind angesehen hat" in page.text
    assert "Kinderschutz" in page.text
    assert "Vorfall gemeldet" in page.text


def test_whatever_is_done_to_a_child_and_whoever_does_it_has_words():
    for texts in (LOOKS_IN_ENGLISH, LOOKS_IN_GERMAN):
        assert set(ACCESS) - set(texts.operations) == ABOUT_NO_CHILD
        assert {role.value for role in Role} <= set(texts.roles)


async def test_a_long_list_goes_on_on_another_page(pages: PagesSide, side: QuerySide):
    for number in range(60):
        at = side.now + timedelta(minutes=number + 1)
        side.trail.write(look(f"o-{number}", side, at=at))
    async with pages.browser() as browser:
        await pages.sign_in(browser, OFFICER)
        first = await browser.get(LOOKS)
        following = re.search(r'id="more" href="([^"]+)"', first.text)
        assert following is not None
        second = await browser.get(unescape(following[1]))
    assert (len(rows(first)), 'id="first"' in first.text) == (50, False)
    assert 'id="first"' in second.text
    assert rows(second)[0][1] == "o-9 safety officer"


async def test_what_was_altered_is_said_above_it(pages: PagesSide, side: QuerySide):
    assert "was altered" not in (await shown(pages, LOOKS)).text
    for place, block in side.trail.kept.items():
        side.trail.kept[place] = replace(block, hash="forged")
    page = await shown(pages, LOOKS)
    assert "was altered" in page.text
    assert "its hash does not match" in page.text


async def test_whatever_was_recorded_is_shown_as_text(pages: PagesSide, side: QuerySide):
    side.trail.write(
        look("<u>x</u>", side, operation="<u>", outcome="<u>", address="<u>", role="<u>")
    )
    assert "<u>" not in (await shown(pages, LOOKS)).text


async def test_the_page_asks_for_nothing_else_and_so_is_there_for_an_erased_child(
    pages: PagesSide, side: QuerySide
):
    del side.store.children[ADA]
    side.audit.entries.clear()
    page = await shown(pages, LOOKS)
    assert page.status_code == 200
    assert [one.operation for one in side.audit.entries] == ["GetChildAuditRecords"]


async def test_the_evidence_is_a_file_that_proves_itself(pages: PagesSide, side: QuerySide):
    answer = await shown(pages, EVIDENCE)
    assert answer.status_code == 200
    disposition = f'attachment; filename="evidence-{VIOLATION}.json"'
    assert answer.headers["Content-Disposition"] == disposition
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    report, records = check_bundle(orjson.loads(answer.content), side.proof_keys)
    assert report.findings == []
    assert "officer-2" in {one["subject"] for one in records}


@pytest.mark.parametrize("who", [parent("parent-ada"), ANALYST, ADMIN], ids=lambda who: who.role)
@pytest.mark.parametrize("path", [LOOKS, EVIDENCE])
async def test_both_are_for_officers_alone(pages: PagesSide, who: Principal, path: str):
    page = await shown(pages, path, who)
    assert page.status_code == 403
    assert "another role" in page.text
    assert pages.side.trail.read == 0


@pytest.mark.parametrize("path", [LOOKS, EVIDENCE])
async def test_who_is_not_signed_in_is_led_there(pages: PagesSide, path: str):
    async with pages.browser() as browser:
        answer = await browser.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("unsigned", "evidence-not-signed-yet", "signed about once a minute"),
        ("long", "evidence-too-long", "too much was recorded"),
        ("taken", "overloaded", "another one is being put together"),
    ],
)
async def test_why_there_is_no_file_is_said_where_an_erased_child_is_shown_too(
    pages: PagesSide, side: QuerySide, what: str, code: str, said: str
):
    # given a child that has no page any more
    await side.list_as_erased(ADA)
    evidence = side.service.edge.evidence
    if what == "unsigned":
        side.trail.statements.clear()
    elif what == "long":
        evidence.most_seconds = 0
    else:
        evidence.slot()
    async with pages.browser() as browser:
        await pages.sign_in(browser, OFFICER)
        # when
        answer = await browser.get(EVIDENCE)
        # then
        assert answer.headers["Location"] == f"{LOOKS}?not-saved={code}"
        page = await browser.get(answer.headers["Location"])
    assert page.status_code == 200
    assert said in page.text


async def test_anything_else_is_a_page_and_no_file(pages: PagesSide):
    page = await shown(pages, f"{ON}/violations/v-9/evidence")
    assert page.status_code == 404
    assert "Content-Disposition" not in page.headers


async def test_a_limit_is_a_page_too():
    pages = await pages_of(QuerySide(limits=limits_of(evidence="1/hour")))
    assert (await shown(pages, EVIDENCE)).status_code == 200
    page = await shown(pages, EVIDENCE)
    assert page.status_code == 429
    assert page.headers["Retry-After"]


async def test_while_the_trail_is_away_the_pages_say_to_come_again(
    pages: PagesSide, side: QuerySide
):
    side.trail.away = True
    for path in (LOOKS, EVIDENCE):
        page = await shown(pages, path)
        assert page.status_code == 503
        assert page.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path", [LOOKS, f"{LOOKS}?cursor=x"])
async def test_nothing_inline_and_nothing_from_outside_is_on_the_page(pages: PagesSide, path: str):
    page = await shown(pages, path)
    for inline in ("style=", "onclick", "<style", "javascript:", "<script>", "//"):
        assert inline not in page.text
