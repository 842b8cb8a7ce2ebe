"""A parent sees how a child's consents changed, on a page of its own."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html import unescape

import httpx2
import pytest

from query_service.pages.texts_of_consents import CONSENTS_IN_ENGLISH, CONSENTS_IN_GERMAN
from shared.auth.access import Principal
from shared.event_store.envelope import Actor, Commit, StreamPosition
from shared.event_store.port import StoreUnavailable
from shared.events.child import (
    ChildEvent,
    ConsentMethod,
    ConsentPurpose,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
)
from tests.support.commits import offer_of
from tests.support.pages import NOTICE, PagesSide
from tests.support.query_side import OFFICER, QuerySide, parent
from tests.support.read_model_builders import NOON

WEISS = parent("weiss")
LENA = "11111111-1111-4111-8111-111111111111"
CHILD = f"/dashboard/children/{LENA}"
PAGE = f"{CHILD}/consents"
ACCOUNT, TALKS = ConsentPurpose.ACCOUNT, ConsentPurpose.CONVERSATIONS
DASH = "\N{EN DASH}"


def given(purpose: ConsentPurpose, notice: str) -> ChildEvent:
    return ParentalConsentGiven(
        child_id=LENA,
        at=NOON,
        purpose=purpose,
        notice_version=notice,
        method=ConsentMethod.SIGNED_FORM,
    )


TAKEN_BACK = ParentalConsentWithdrawn(child_id=LENA, at=NOON, purpose=TALKS)


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    await side.child(LENA, parent_id="weiss")
    return PagesSide(side, notice=NOTICE)


async def happened(pages: PagesSide, *commits: tuple[str, Sequence[ChildEvent]]) -> None:
    """Each commit by one of this role."""
    (cipher,) = (await pages.side.keyring.ciphers([LENA])).values()
    position = StreamPosition()
    for role, events in commits:
        offer = replace(offer_of(events, position, cipher), actor=Actor("somebody", role))
        position = (await pages.side.events.append(offer)).position


async def shown(
    pages: PagesSide, path: str = PAGE, who: Principal = WEISS, language: str = "en"
) -> httpx2.Response:
    async with pages.browser(**{"Accept-Language": language}) as browser:
        await pages.sign_in(browser, who)
        return await browser.get(path)


def rows(page: httpx2.Response) -> list[list[str]]:
    """The texts of the table, row by row, without the first column, when it was."""
    assert page.status_code == 200
    found = re.findall(r"<tr><td>.*?</tr>", page.text)
    cells = (re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in found)
    return [[unescape(cell) for cell in row[1:]] for row in cells]


async def away(*_: object) -> list[Commit]:
    raise StoreUnavailable("away")


async def test_each_change_stands_in_a_table_the_newest_first(pages: PagesSide):
    # given
    await happened(
        pages,
        ("parent", [given(ACCOUNT, "2026-10"), given(TALKS, "2026-10")]),
        ("admin", [TAKEN_BACK]),
        ("parent", [given(TALKS, "2026-11")]),
    )
    # when
    page = await shown(pages)
    # then
    assert rows(page) == [
        ["given", "Conversations", "2026-11", "by a signed form", "the parent"],
        ["withdrawn", "Conversations", DASH, DASH, "an administrator"],
        ["given", "Conversations", "2026-10", "by a signed form", "the parent"],
        ["given", "Account", "2026-10", "by a signed form", "the parent"],
    ]
    assert "23 Nov 2026, 12:00 UTC" in page.text
    assert CONSENTS_IN_ENGLISH.unreadable not in page.text


async def test_the_childs_page_leads_there_and_asks_for_no_history(pages: PagesSide):
    page = await shown(pages, CHILD)
    assert f'href="{PAGE}"' in page.text
    assert "GetChildConsents" not in {one.operation for one in pages.side.audit.entries}


async def test_it_asks_once_and_for_nothing_else_and_is_not_live(pages: PagesSide):
    page = await shown(pages)
    assert [one.operation for one in pages.side.audit.entries] == ["GetChildConsents"]
    assert "data-stream" not in page.text
    assert "live.js" not in page.text


async def test_a_child_without_consents_has_no_changes(pages: PagesSide):
    page = await shown(pages)
    assert rows(page) == []
    assert CONSENTS_IN_ENGLISH.empty in page.text


async def test_whatever_it_tells_is_escaped(pages: PagesSide):
    await happened(pages, ("<u>", [given(ACCOUNT, "<u>2026-11")]))
    page = await shown(pages)
    assert rows(page)[0][2:] == ["<u>2026-11", "by a signed form", "<u>"]
    assert "<u>" not in page.text


async def test_it_is_told_in_german(pages: PagesSide):
    await happened(pages, ("parent", [given(TALKS, "2026-11")]), ("admin", [TAKEN_BACK]))
    page = await shown(pages, language="de")
    assert rows(page) == [
        ["widerrufen", "Gespräche", DASH, DASH, "die Administration"],
        ["erteilt", "Gespräche", "2026-11", "mit unterschriebenem Formular", "den Elternteil"],
    ]
    assert CONSENTS_IN_GERMAN.title in page.text


async def test_a_notice_that_does_not_open_is_said_to_be_unreadable(pages: PagesSide):
    await happened(pages, ("parent", [given(ACCOUNT, "2026-11")]))
    await pages.side.close_key(LENA)
    page = await shown(pages)
    assert rows(page)[0][:4] == ["given", "Account", "cannot be read", "by a signed form"]
    assert CONSENTS_IN_ENGLISH.unreadable in page.text


async def test_a_consent_of_a_later_release_is_said_to_be_unreadable(pages: PagesSide):
    # given
    (cipher,) = (await pages.side.keyring.ciphers([LENA])).values()
    offer = offer_of([given(ACCOUNT, "2026-11")], StreamPosition(), cipher)
    later = tuple(replace(one, schema_version=99) for one in offer.events)
    await pages.side.events.append(replace(offer, events=later))
    # when
    page = await shown(pages)
    # then
    assert rows(page)[0][:4] == ["given", *["cannot be read"] * 3]
    assert CONSENTS_IN_ENGLISH.unreadable in page.text


async def test_a_long_history_goes_on_on_another_page(pages: PagesSide):
    # given
    await happened(pages, *[("parent", [given(ACCOUNT, f"n{number}")]) for number in range(60)])
    # when
    first = await shown(pages)
    following = re.search(r'id="more" href="([^"]+)"', first.text)
    assert following is not None
    second = await shown(pages, unescape(following[1]))
    # then
    assert [row[2] for row in rows(first)] == [f"n{number}" for number in range(59, 9, -1)]
    assert [row[2] for row in rows(second)] == [f"n{number}" for number in range(9, -1, -1)]
    assert 'id="first"' not in first.text
    assert f'id="first" href="{PAGE}"' in second.text
    assert 'id="more"' not in second.text


async def test_without_the_event_store_it_is_an_error_page_and_the_childs_is_whole(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pages.side.events, "consents", away)
    page, child = await shown(pages), await shown(pages, CHILD)
    assert page.status_code == 503
    assert page.headers["Retry-After"]
    assert child.status_code == 200


async def test_of_an_erased_child_the_receipt_is_shown(pages: PagesSide):
    await pages.side.list_as_erased(LENA)
    await pages.side.destroy_key(LENA)
    page = await shown(pages)
    assert page.status_code == 303
    assert page.headers["Location"] == f"{CHILD}/erasure-receipt"


@pytest.mark.parametrize(("who", "status"), [(parent("braun"), 404), (OFFICER, 403)], ids=str)
async def test_it_is_for_the_family_alone(pages: PagesSide, who: Principal, status: int):
    assert (await shown(pages, who=who)).status_code == status


def test_both_languages_have_words_for_the_same_changes_and_roles():
    for name in ("changes", "roles"):
        english, german = getattr(CONSENTS_IN_ENGLISH, name), getattr(CONSENTS_IN_GERMAN, name)
        assert english.keys() == german.keys(), name
