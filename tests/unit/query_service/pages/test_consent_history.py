"""A parent's page of a child tells how its consents changed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from html import unescape

import pytest

from query_service.pages.texts_of_consents import CONSENTS_IN_ENGLISH, CONSENTS_IN_GERMAN
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
from tests.support.query_side import QuerySide, parent
from tests.support.read_model_builders import NOON

WEISS = parent("weiss")
LENA = "11111111-1111-4111-8111-111111111111"
PAGE = f"/dashboard/children/{LENA}"
ACCOUNT, TALKS = ConsentPurpose.ACCOUNT, ConsentPurpose.CONVERSATIONS


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


async def page_of(pages: PagesSide, language: str = "en") -> str:
    async with pages.browser(**{"Accept-Language": language}) as browser:
        await pages.sign_in(browser, WEISS)
        page = await browser.get(PAGE)
    assert page.status_code == 200
    return unescape(page.text)


def histories(page: str) -> Mapping[str, list[str]]:
    """Purpose to what its history says, a text for each change."""
    found = re.findall(r'<details id="history-(\w+)">(.*?)</details>', page, re.DOTALL)
    return {
        purpose: [
            re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", one)).strip()
            for one in re.findall(r"<li>(.*?)</li>", history, re.DOTALL)
        ]
        for purpose, history in found
    }


async def test_each_consent_has_its_history_the_newest_first(pages: PagesSide):
    # given
    await happened(
        pages,
        ("parent", [given(ACCOUNT, "2026-10"), given(TALKS, "2026-10")]),
        ("admin", [TAKEN_BACK]),
        ("parent", [given(TALKS, "<b>2026-11")]),
    )
    # when
    told = histories(await page_of(pages))
    # then
    assert list(told) == ["account", "conversations"]
    assert len(told["account"]) == 1
    again, taken_back, first = told["conversations"]
    assert again.startswith("given")
    assert "by the parent" in again
    assert taken_back.startswith("withdrawn")
    assert "by an administrator" in taken_back
    assert "Notice 2026-10, by a signed form." in first


async def test_what_a_history_says_is_escaped(pages: PagesSide):
    await happened(pages, ("parent", [given(ACCOUNT, "<u>2026-11")]))
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        page = (await browser.get(PAGE)).text
    assert "&lt;u&gt;2026-11" in page
    assert "<u>" not in page


async def test_a_history_is_told_in_german(pages: PagesSide):
    await happened(pages, ("parent", [given(TALKS, "2026-11")]), ("parent", [TAKEN_BACK]))
    page = await page_of(pages, "de")
    taken_back, first = histories(page)["conversations"]
    assert taken_back.startswith("widerrufen")
    assert "durch den Elternteil" in taken_back
    assert "Hinweise 2026-11, mit unterschriebenem Formular." in first
    assert "Verlauf: Gespräche" in page


async def test_a_notice_that_does_not_open_is_said_to_be_unreadable(pages: PagesSide):
    await happened(pages, ("parent", [given(ACCOUNT, "2026-11")]))
    await pages.side.close_key(LENA)
    page = await page_of(pages)
    assert CONSENTS_IN_ENGLISH.notice_unreadable in histories(page)["account"][0]
    assert CONSENTS_IN_ENGLISH.unreadable in page


async def test_where_there_are_more_changes_the_page_says_where_they_are(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("query_service.pages.families.MOST_CONSENTS", "2")
    await happened(pages, *[("parent", [given(ACCOUNT, f"2026-0{n}")]) for n in range(1, 4)])
    page = await page_of(pages)
    assert len(histories(page)["account"]) == 2
    assert CONSENTS_IN_ENGLISH.older in page


async def test_without_the_event_store_all_but_the_history_is_shown(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    # given
    async def away(*_: object) -> list[Commit]:
        raise StoreUnavailable("away")

    await happened(pages, ("parent", [given(ACCOUNT, "2026-11")]))
    monkeypatch.setattr(pages.side.events, "consents", away)
    # when
    page = await page_of(pages)
    # then
    assert histories(page) == {}
    assert CONSENTS_IN_ENGLISH.away in page
    assert "Lena Weiss" in page


def test_both_languages_say_the_same_things_of_a_history():
    for name in (one.name for one in fields(CONSENTS_IN_ENGLISH)):
        english, german = getattr(CONSENTS_IN_ENGLISH, name), getattr(CONSENTS_IN_GERMAN, name)
        if isinstance(english, str):
            assert english.count("{}") == german.count("{}"), name
        else:
            assert english.keys() == german.keys(), name
