"""How a child's data are taken along, erased, and shown to be gone."""

from collections.abc import AsyncIterator

import httpx2
import orjson
import pytest

from query_service.pages.english import ENGLISH
from shared.keyring.erased_list import ErasureStep, StepDone
from tests.support.pages import PagesSide, form_token_of
from tests.support.query_side import QuerySide, parent
from tests.support.read_model_builders import NOON

WEISS = parent("weiss")
LENA, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
PAGE = f"/dashboard/children/{LENA}"
ERASURE, RECEIPT = f"{PAGE}/erasure", f"{PAGE}/erasure-receipt"


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    await side.child(LENA, parent_id="weiss", name="Zoë <b>Weiss</b>")
    await side.child(OTHER, parent_id="braun", name="Otto Braun")
    return PagesSide(side)


@pytest.fixture
async def browser(pages: PagesSide) -> AsyncIterator[httpx2.AsyncClient]:
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        yield browser


async def erase(browser: httpx2.AsyncClient, name: str, child: str = LENA) -> httpx2.Response:
    token = form_token_of((await browser.get("/dashboard")).text)
    data = {"form_token": token, "name": name}
    return await browser.post(f"/dashboard/children/{child}/erasure", data=data)


async def test_a_parent_reads_what_is_removed_and_what_remains(browser: httpx2.AsyncClient):
    page = (await browser.get(ERASURE)).text
    assert "All data of Zoë &lt;b&gt;Weiss&lt;/b&gt;" in page
    assert "What is removed" in page
    assert "What remains" in page
    assert "<b>" not in page


@pytest.mark.parametrize("name", ["Zoë <b>Weiss</b>", "  Zoe\u0308 <b>Weiss</b>\t"])
async def test_the_child_is_erased_when_its_name_was_typed(
    pages: PagesSide, browser: httpx2.AsyncClient, name: str
):
    # when
    answer = await erase(browser, name)
    # then
    assert (answer.status_code, answer.headers["Location"]) == (303, RECEIPT)
    (command,) = pages.commands.requests
    assert (command.method, command.url.path) == ("DELETE", f"/v1/children/{LENA}/personal-data")
    assert command.content == b""


@pytest.mark.parametrize(
    "name", ["", "Zoë", "zoë <b>weiss</b>", "Otto Braun", LENA, "Zoe <b>Weiss</b>"]
)
async def test_another_name_erases_nothing(
    pages: PagesSide, browser: httpx2.AsyncClient, name: str
):
    answer = await erase(browser, name)
    page = await browser.get(answer.headers["Location"])
    assert "That is not the name. Nothing was erased." in page.text
    assert pages.commands.requests == []


async def test_of_a_child_without_a_name_the_childs_id_is_typed(
    side: QuerySide, browser: httpx2.AsyncClient
):
    await side.child(LENA, parent_id="weiss", name=None)
    assert f"type: {LENA}" in (await browser.get(ERASURE)).text
    assert (await erase(browser, "None")).headers["Location"] != RECEIPT
    assert (await erase(browser, LENA)).headers["Location"] == RECEIPT


@pytest.mark.parametrize("kek_id", [None, "kek-9"], ids=["another key", "no key"])
async def test_a_child_whose_key_does_not_open_is_shown_and_can_be_erased(
    side: QuerySide, browser: httpx2.AsyncClient, kek_id: str | None
):
    # given, before anything was asked of it
    await side.close_key(LENA, kek_id)
    # then
    assert (await browser.get("/dashboard")).status_code == 200
    page = await browser.get(PAGE)
    assert page.status_code == 200
    assert ENGLISH.partly_unreadable in page.text
    assert 'id="interests"' in page.text
    assert f"type: {LENA}" in (await browser.get(ERASURE)).text
    assert (await erase(browser, LENA)).headers["Location"] == RECEIPT


@pytest.mark.parametrize("child", [OTHER, "nobody"])
async def test_another_familys_child_can_be_neither_erased_nor_exported(
    pages: PagesSide, browser: httpx2.AsyncClient, child: str
):
    assert (await erase(browser, "Otto Braun", child)).status_code == 404
    for path in ("erasure", "erasure-receipt", "erasure-receipt/file", "export"):
        answer = await browser.get(f"/dashboard/children/{child}/{path}")
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "Content-Disposition" not in answer.headers
    assert pages.commands.requests == []


async def test_an_erasure_needs_the_sessions_form_token(
    pages: PagesSide, browser: httpx2.AsyncClient
):
    data = {"form_token": "0" * 32, "name": "Zoë <b>Weiss</b>"}
    assert (await browser.post(ERASURE, data=data)).status_code == 403
    assert pages.commands.requests == []


async def test_why_nothing_was_erased_is_said(pages: PagesSide, browser: httpx2.AsyncClient):
    pages.commands.answer = lambda: httpx2.Response(403, json={"code": "forbidden"})
    answer = await erase(browser, "Zoë <b>Weiss</b>")
    assert answer.headers["Location"].startswith(f"{ERASURE}?not-saved=")
    assert "You may not do this." in (await browser.get(answer.headers["Location"])).text


@pytest.fixture
async def erased(pages: PagesSide, side: QuerySide) -> None:
    """The key is destroyed; the worker has not yet removed the read models."""
    await side.list_as_erased(LENA)
    await side.destroy_key(LENA)
    await side.erased.record(LENA, ErasureStep.KEY, StepDone(NOON, 1))


@pytest.mark.usefixtures("erased")
@pytest.mark.parametrize("path", [PAGE, ERASURE])
async def test_the_page_of_an_erased_child_leads_to_its_receipt(
    browser: httpx2.AsyncClient, path: str
):
    assert (await browser.get(path)).headers["Location"] == RECEIPT


@pytest.mark.usefixtures("erased")
async def test_a_form_that_was_sent_again_erases_nothing_more(
    pages: PagesSide, browser: httpx2.AsyncClient
):
    answer = await erase(browser, "Zoë <b>Weiss</b>")
    assert (answer.status_code, answer.headers["Location"]) == (303, RECEIPT)
    assert pages.commands.requests == []


@pytest.mark.usefixtures("erased")
async def test_a_receipt_says_what_is_done_and_looks_again_until_it_is_complete(
    side: QuerySide, browser: httpx2.AsyncClient
):
    begun = (await browser.get(RECEIPT)).text
    assert "data-again" in begun
    assert "Still to be removed" in begun
    assert "The key that opens all personal data" in begun
    # when
    for step in ErasureStep:
        await side.erased.record(LENA, step, StepDone(NOON, 1))
    done = (await browser.get(RECEIPT)).text
    # then
    assert "data-again" not in done
    assert "Everything was removed." in done


@pytest.mark.usefixtures("erased")
async def test_a_receipt_is_kept_as_a_signed_file(side: QuerySide, browser: httpx2.AsyncClient):
    answer = await browser.get(f"{RECEIPT}/file")
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="erasure-receipt-{LENA}.json"'
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert side.proof_keys.open("teddy-erasure-receipt", answer.json()["receipt"])


@pytest.mark.usefixtures("erased")
async def test_a_receipt_is_in_the_readers_language(browser: httpx2.AsyncClient):
    page = await browser.get(RECEIPT, headers={"Accept-Language": "de"})
    assert "Der Schlüssel, der alle persönlichen Daten" in page.text
    assert "Ein Vermerk" in page.text


async def test_everything_about_a_child_is_a_file(side: QuerySide, browser: httpx2.AsyncClient):
    answer = await browser.get(f"{PAGE}/export")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="child-{LENA}.jsonl"'
    assert answer.headers["Cache-Control"] == "no-store"
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [lines[0]["kind"], lines[-1]["kind"]] == ["export", "end"]
    assert {record.operation for record in side.audit.entries} == {"ExportChild"}


async def test_a_refused_export_is_a_page_and_no_file(side: QuerySide, browser: httpx2.AsyncClient):
    with side.service.edge.exports.slot_for(WEISS, LENA):
        answer = await browser.get(f"{PAGE}/export")
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers
    assert "Content-Disposition" not in answer.headers
    assert "too often" in answer.text
