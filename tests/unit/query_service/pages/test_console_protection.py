"""The protection of children's data on the operators' console."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from query_service.pages.protection import REMEDIES
from query_service.pages.texts_of_protection import PROTECTION_IN_ENGLISH, PROTECTION_IN_GERMAN
from query_service.queries.get_system_protection import KeyState
from query_service.queries.protection_findings import ProtectionCode
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ErasedChild, ErasureStep
from shared.keyring.key_store import WrappedKey
from tests.support.pages import PagesSide
from tests.support.query_side import QuerySide
from tests.unit.query_service.pages.test_operators import LENA, WELL, shown


@pytest.fixture
def pages(side: QuerySide) -> PagesSide:
    side.store.known, side.store.through = WELL, side.now
    return PagesSide(side)


async def test_where_all_is_well_it_says_so(pages: PagesSide):
    page = (await shown(pages)).text
    assert PROTECTION_IN_ENGLISH.title in page
    assert PROTECTION_IN_ENGLISH.good in page
    assert "kek-1" in page
    assert "verdict-protection" not in page


async def test_each_finding_is_said_with_where_to_begin(pages: PagesSide):
    # given
    at = pages.side.now - timedelta(hours=1)
    await pages.side.erased.add(
        ErasedChild(child_id=LENA, at=at, by_role="parent", version=2, hash="h")
    )
    await pages.side.key_store.insert(WrappedKey("otto", "<kek>", b""))
    # when
    page = (await shown(pages)).text
    # then
    for code in ("erasures-open", "keys-missing"):
        assert PROTECTION_IN_ENGLISH.findings[code] in page
        assert f"<code>{REMEDIES[code]}</code>" in page
    assert f"<code>{LENA}</code>" in page
    assert ", ".join(PROTECTION_IN_ENGLISH.steps[step] for step in ErasureStep) in page
    assert "&lt;kek&gt;" in page
    assert PROTECTION_IN_ENGLISH.good not in page
    first = page[page.index('id="verdict-protection"') :].partition("</p>")[0]
    assert PROTECTION_IN_ENGLISH.findings["keys-missing"] in first
    assert "(+1)" in first


async def test_a_part_that_cannot_be_read_is_said_to_be_unknown(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    # given
    async def away(*_: object) -> Any:
        raise StoreUnavailable

    monkeypatch.setattr(pages.side.erased, "open_erasures", away)
    monkeypatch.setattr(pages.side.key_store, "count_by_kek", away)
    # when
    page = (await shown(pages)).text
    # then
    english = PROTECTION_IN_ENGLISH
    assert page.count(english.unknown) == 1
    assert english.not_counted in page
    assert english.good not in page
    assert f"{english.unknown_parts} {english.erasures}, {english.data_keys}<" in page


@pytest.mark.parametrize("part", ["erasures", "keys", "trail"])
async def test_nothing_is_said_to_be_well_while_any_part_is_unknown(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch, part: str
):
    # given
    async def away() -> Any:
        raise StoreUnavailable

    monkeypatch.setattr(getattr(pages.side.ports.protection, part), "read", away)
    # when
    page = (await shown(pages)).text
    # then
    text = getattr(PROTECTION_IN_ENGLISH, "audit" if part == "trail" else part)
    assert f"{PROTECTION_IN_ENGLISH.unknown_parts} {text}<" in page
    assert PROTECTION_IN_ENGLISH.good not in page


async def test_every_text_is_there_in_german(pages: PagesSide):
    page = (await shown(pages, language="de")).text
    assert PROTECTION_IN_GERMAN.title in page
    for one in fields(PROTECTION_IN_ENGLISH):
        english = getattr(PROTECTION_IN_ENGLISH, one.name)
        if isinstance(english, str):
            assert f">{english}<" not in page


def test_whatever_the_api_says_has_a_text_and_every_finding_a_remedy():
    assert {*ProtectionCode} == REMEDIES.keys()
    for texts in (PROTECTION_IN_ENGLISH, PROTECTION_IN_GERMAN):
        assert texts.findings.keys() == {*ProtectionCode}
        assert texts.key_states.keys() == {*KeyState}
        assert texts.steps.keys() == {*ErasureStep}
