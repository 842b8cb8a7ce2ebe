"""What the pages show, to whom, and what they leave to the APIs."""

import httpx2
import pytest

from query_service.pages.english import ENGLISH
from query_service.pages.german import GERMAN
from query_service.pages.languages import texts_for
from query_service.pages.rendering import POLICY
from query_service.read_store.port import ReadStoreUnavailable
from shared.signing import ConsistencyTokens
from tests.support.pages import PagesSide, form_token_of
from tests.support.query_side import QuerySide, parent
from tests.support.read_model_builders import violation

WEISS = parent("weiss")
LENA, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
SEEN = f"/dashboard/children/{LENA}/violations/v1/acknowledgement"


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    await side.child(LENA, parent_id="weiss", name="Lena <b>Weiss</b>")
    await side.child(OTHER, parent_id="braun", name="Otto Braun")
    side.report(LENA, violation("v1", type="<i>data</i>", severity="high"))
    side.conversation(LENA, "c1", topic="<u>space</u>")
    side.alert("a1", child_id=LENA, parent_id="weiss", violation_id="v1")
    return PagesSide(side)


async def shown(pages: PagesSide, path: str, **headers: str) -> httpx2.Response:
    async with pages.browser(**headers) as browser:
        await pages.sign_in(browser, WEISS)
        return await browser.get(path)


async def test_a_parent_sees_its_own_children_and_alerts(pages: PagesSide):
    page = await shown(pages, "/dashboard")
    assert page.status_code == 200
    assert f'href="/dashboard/children/{LENA}"' in page.text
    assert "Otto" not in page.text
    assert 'id="alert-a1"' in page.text


async def test_whatever_was_said_is_shown_as_text(pages: PagesSide):
    for path in ("/dashboard", f"/dashboard/children/{LENA}"):
        page = await shown(pages, path)
        assert "Lena &lt;b&gt;Weiss&lt;/b&gt;" in page.text
        for tag in ("<b>", "<i>", "<u>"):
            assert tag not in page.text


@pytest.mark.parametrize("child", [OTHER, "nobody", "a" * 64])
async def test_another_familys_child_is_not_there(pages: PagesSide, child: str):
    page = await shown(pages, f"/dashboard/children/{child}")
    assert page.status_code == 404
    assert "Otto" not in page.text


@pytest.mark.parametrize(
    "path",
    ["/dashboard/nowhere", "/dashboard/children/a%2fb", "/dashboard/children/a.b", "/sign-in/x"],
)
async def test_what_is_no_page_is_said_to_be_none(pages: PagesSide, path: str):
    page = await shown(pages, path)
    assert page.status_code == 404
    assert "nothing here" in page.text


async def test_what_a_page_shows_is_on_record_as_the_apis_own_answer(pages: PagesSide):
    await shown(pages, f"/dashboard/children/{LENA}")
    recorded = {record.operation: record.children for record in pages.side.audit.entries}
    assert recorded == {
        "GetChildProfile": (LENA,),
        "GetChildSafetyReport": (LENA,),
        "GetChildAnalytics": (LENA,),
        "GetChildConversations": (LENA,),
        "GetAlertPolicy": (LENA,),
    }


EVERY_KIND = ["/", "/sign-in", "/dashboard", f"/dashboard/children/{LENA}", "/dashboard/none"]


@pytest.mark.parametrize("path", EVERY_KIND)
async def test_nothing_from_outside_and_nothing_inline_is_allowed(pages: PagesSide, path: str):
    page = await shown(pages, path)
    assert page.headers["Content-Security-Policy"] == POLICY
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    for inline in ("style=", "onclick", "<style", "javascript:", "<script>"):
        assert inline not in page.text
    assert "//" not in page.text.replace('xmlns="http://www.w3.org', "")


async def test_another_method_is_not_allowed(pages: PagesSide):
    async with pages.browser() as browser:
        assert (await browser.delete("/dashboard")).status_code == 405
        assert (await browser.get(SEEN)).status_code == 405
        assert (await browser.head("/sign-in")).status_code == 200


async def test_assets_are_kept_for_a_year_under_the_digest_of_their_content(pages: PagesSide):
    page = await shown(pages, "/sign-in")
    style = page.text.partition('stylesheet" href="')[2].partition('"')[0]
    found, gone = await shown(pages, style), await shown(pages, f"/assets/0000/{style[-9:]}")
    assert found.headers["Content-Type"].startswith("text/css")
    assert "immutable" in found.headers["Cache-Control"]
    assert gone.status_code == 404


async def test_an_incident_is_acknowledged_by_a_command(pages: PagesSide):
    # given
    seen = ConsistencyTokens(pages.side.service.edge.tokens._signer._key).issue(LENA, 1)
    pages.commands.answer = lambda: httpx2.Response(
        200, json={}, headers={"Consistency-Token": seen}
    )
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        form = {"form_token": form_token_of((await browser.get("/dashboard")).text)}
        # when it is sent twice
        for _ in range(2):
            answer = await browser.post(SEEN, data=form | {"from": "dashboard"})
        page = await browser.get(answer.headers["Location"])
    # then
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard")
    assert page.status_code == 200
    first, second = pages.commands.requests
    assert first.url.path == f"/v1/children/{LENA}/safety-violations/v1/acknowledgement"
    assert first.headers["Authorization"].startswith("Bearer ")
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.content == b""


def refused() -> httpx2.Response:
    return httpx2.Response(503, json={"code": "event-store-unavailable"})


def unreachable() -> httpx2.Response:
    raise httpx2.ConnectError("away")


def refused_on_the_way() -> httpx2.Response:
    return httpx2.Response(413, html="<html>")


@pytest.mark.parametrize("answer", [refused, unreachable, refused_on_the_way])
async def test_what_was_not_saved_is_said(pages: PagesSide, answer):
    pages.commands.answer = answer
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        form = {"form_token": form_token_of((await browser.get("/dashboard")).text)}
        sent = await browser.post(SEEN, data=form)
        page = await browser.get(sent.headers["Location"])
    assert "could not be saved" in page.text


async def test_what_was_known_before_the_read_store_went_away_is_marked(
    pages: PagesSide, side: QuerySide
):
    path = f"/dashboard/children/{LENA}"
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        assert "what was known before" not in (await browser.get(path)).text
        side.store.away_for = 20.0
        assert "what was known before" in (await browser.get(path)).text


async def test_a_read_store_that_is_away_is_said(
    pages: PagesSide, side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: object) -> None:
        raise ReadStoreUnavailable("away")

    monkeypatch.setattr(side.store, "alerts_of", away)
    page = await shown(pages, "/dashboard")
    assert page.status_code == 503
    assert "at the moment" in page.text
    assert page.headers["Retry-After"] == "1"


async def test_an_error_that_nobody_foresaw_is_a_page(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("query_service.pages.families.notices", lambda *_: 1 / 0)
    page = await shown(pages, "/dashboard")
    assert page.status_code == 500
    assert page.headers["Content-Type"].startswith("text/html")


async def test_a_parent_without_children_reads_how_it_begins(pages: PagesSide):
    async with pages.browser() as browser:
        await pages.sign_in(browser, parent("new"))
        page = await browser.get("/dashboard")
    assert "No children yet" in page.text
    assert "No alerts" in page.text


async def test_pages_are_in_the_readers_language(pages: PagesSide):
    page = await shown(pages, "/dashboard", **{"Accept-Language": "de-AT, en;q=0.5"})
    assert '<html lang="de">' in page.text
    assert "Ihre Kinder" in page.text


@pytest.mark.parametrize(
    ("accepted", "texts"),
    [
        ("", ENGLISH),
        ("fr, de;q=0.3", GERMAN),
        ("en;q=0.2, DE-at;q=0.9", GERMAN),
        ("en; q=0.2, de; q=0.9", GERMAN),
        ("de;q=nothing, en", ENGLISH),
        (",;q=,;;", ENGLISH),
        ("fr, " * 1_000 + "de", ENGLISH),
    ],
)
def test_the_first_language_there_is_is_taken(accepted: str, texts: object):
    assert texts_for(accepted) is texts


def test_a_translation_says_the_same_things():
    for name in ("errors", "statuses", "engagement_levels", "severities", "outcomes", "trends"):
        assert getattr(ENGLISH, name).keys() == getattr(GERMAN, name).keys()
    for name in ENGLISH.__slots__:
        english, german = getattr(ENGLISH, name), getattr(GERMAN, name)
        if isinstance(english, str):
            assert english.count("{}") == german.count("{}"), name


async def test_where_nobody_named_a_command_api_there_are_no_pages(side: QuerySide):
    for path in ("/", "/sign-in", "/dashboard"):
        assert (await side.get(path)).status_code == 404


async def test_updates_arrive_over_the_pages_own_stream(pages: PagesSide, side: QuerySide):
    async with pages.browser() as browser:
        assert (await browser.get("/dashboard/stream")).status_code == 401
        await pages.sign_in(browser, WEISS)
        head = await browser.head("/dashboard/stream")
    assert head.status_code == 200
    assert side.open_streams == 0
