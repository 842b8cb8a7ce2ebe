"""What safety officers see and send, and what their pages leave to the APIs."""

import asyncio
import re
from datetime import timedelta
from html import unescape
from typing import Any

import httpx2
import orjson
import pytest

from command_service.child.field_checks import NOTE, REASON
from query_service.pages.officer_forms import MOST_NOTE, MOST_REASON
from query_service.pages.officers import ages_at
from query_service.pages.site import MOST_FORM_BYTES
from query_service.pages.texts_of_looks import LOOKS_IN_ENGLISH, LOOKS_IN_GERMAN, LooksTexts
from query_service.pages.texts_of_safety import SAFETY_ENGLISH, SAFETY_GERMAN, SafetyTexts
from query_service.read_store.violation_filter import ViolationOrder, ViolationStatus
from shared.auth.access import Principal
from tests.support.pages import PagesSide, form_token_of
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, parent
from tests.support.read_model_builders import NOON, violation
from tests.support.waiting import until

LENA, OTTO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ON = f"/safety/children/{LENA}"
API = f"/v1/children/{LENA}/safety-violations"
CLOSED = {"resolved_at": NOON, "outcome": "confirmed", "resolved_by": "officer-7"}


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    await side.child(LENA, parent_id="weiss", name="Lena <b>Weiss</b>", version=7)
    await side.child(OTTO, parent_id="braun", name="Otto Braun")
    side.report(
        LENA,
        violation("v-open", type="<i>data</i>", severity="critical"),
        violation("v-done", type="bullying", severity="medium", **CLOSED),
    )
    side.report(OTTO, violation("v-mine", type="scam", severity="low", assignee="officer-1"))
    return PagesSide(side)


async def shown(pages: PagesSide, path: str, who: Principal = OFFICER) -> httpx2.Response:
    async with pages.browser() as browser:
        await pages.sign_in(browser, who)
        return await browser.get(path)


async def sent(
    pages: PagesSide, path: str, *forms: dict[str, str]
) -> tuple[list[httpx2.Response], httpx2.Response]:
    """The answers to each form, and the page to which the last one led."""
    async with pages.browser() as browser:
        await pages.sign_in(browser, OFFICER)
        token = {"form_token": form_token_of((await browser.get("/safety")).text)}
        answers = [await browser.post(path, data=token | form) for form in forms]
        return answers, await browser.get(answers[-1].headers["Location"])


def rows(page: httpx2.Response) -> list[str]:
    return re.findall(r'<li id="violation-([^"]+)"', page.text)


async def test_an_officer_begins_with_the_incidents_of_all_children(pages: PagesSide):
    async with pages.browser() as browser:
        answer = await pages.sign_in(browser, OFFICER)
        page = await browser.get(answer.headers["Location"])
    assert answer.headers["Location"] == "/safety"
    assert rows(page) == ["v-open", "v-mine"]
    assert f'href="/safety/children/{LENA}"' in page.text
    assert "You look into it" in page.text
    assert 'data-refresh="15"' in page.text


@pytest.mark.parametrize("who", [parent("weiss"), ANALYST, ADMIN], ids=lambda who: who.role)
@pytest.mark.parametrize("path", ["/safety", ON])
async def test_the_pages_are_for_officers_alone(pages: PagesSide, who: Principal, path: str):
    page = await shown(pages, path, who)
    assert page.status_code == 403
    assert "another role" in page.text
    assert "v-open" not in page.text


@pytest.mark.parametrize("what", ["assignee", "resolution", "reopening"])
async def test_a_parent_can_send_none_of_the_forms(pages: PagesSide, what: str):
    async with pages.browser() as browser:
        await pages.sign_in(browser, parent("weiss"))
        form = {"form_token": form_token_of((await browser.get("/dashboard")).text)}
        answer = await browser.post(f"{ON}/violations/v-open/{what}", data=form)
    assert answer.status_code == 403
    assert pages.commands.requests == []


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ("status=resolved", ["v-done"]),
        ("status=all&sort=newest&severity=", ["v-open", "v-mine", "v-done"]),
        ("severity=low", ["v-mine"]),
        ("assignee=officer-1", ["v-mine"]),
        ("assignee=officer-9", []),
        ("colour=red", ["v-open", "v-mine"]),
    ],
)
async def test_what_is_chosen_reaches_the_api(pages: PagesSide, chosen: str, found: list[str]):
    page = await shown(pages, f"/safety?{chosen}")
    assert page.status_code == 200
    assert sorted(rows(page)) == sorted(found)


@pytest.mark.parametrize(
    "chosen", ["status=gone", "severity=HIGH", "sort=age", "cursor=x", f"assignee={'a' * 200}"]
)
async def test_a_choice_that_the_api_does_not_know_is_refused(pages: PagesSide, chosen: str):
    page = await shown(pages, f"/safety?{chosen}")
    assert page.status_code == 422
    assert "cannot be shown" in page.text


async def test_choices_are_those_of_the_api_and_stay_chosen(pages: PagesSide):
    page = await shown(pages, "/safety?status=all&severity=low&assignee=%3Cofficer%3E&sort=newest")
    assert SAFETY_ENGLISH.states.keys() == set(ViolationStatus)
    assert SAFETY_ENGLISH.orders.keys() == set(ViolationOrder)
    selected = re.findall(r'<option value="([^"]*)" selected>', page.text)
    assert selected == ["all", "low", "&lt;officer&gt;", "newest"]


async def test_a_long_list_goes_on_on_another_page(pages: PagesSide, side: QuerySide):
    # given
    many = (violation(f"v-{n:02}", severity="high") for n in range(25))
    side.report(LENA, *many)
    async with pages.browser() as browser:
        await pages.sign_in(browser, OFFICER)
        for path in ("/safety?severity=high", ON):
            # when
            first = await browser.get(path)
            following = re.search(r'id="more" href="([^"]+)"', first.text)
            assert following is not None
            second = await browser.get(unescape(following[1]))
            # then
            assert len(rows(first)) == 20
            assert len({*rows(first), *rows(second)}) == 20 + len(rows(second)) >= 25
            assert 'id="first"' in second.text


async def test_a_childs_page_says_who_it_is_and_what_happened(pages: PagesSide):
    page = await shown(pages, ON)
    assert page.status_code == 200
    assert "7 years" in page.text
    assert sorted(rows(page)) == ["v-done", "v-open"]
    assert f'action="{ON}/violations/v-open/resolution"' in page.text
    assert f'action="{ON}/violations/v-done/reopening"' in page.text
    assert f'action="{ON}/violations/v-done/resolution"' not in page.text
    assert 'data-stream="/safety/families/weiss/stream"' in page.text


async def test_a_childs_page_leads_to_who_looked_and_to_the_evidence_of_each_incident(
    pages: PagesSide,
):
    page = await shown(pages, ON)
    assert f'href="{ON}/looks"' in page.text
    for one in ("v-open", "v-done"):
        assert f'href="{ON}/violations/{one}/evidence"' in page.text


async def test_whatever_was_said_is_shown_as_text(pages: PagesSide, side: QuerySide):
    hostile = "<u>x</u>"
    side.report(
        OTTO,
        violation("v-1", type=hostile, assignee=hostile),
        violation("v-2", type="scam", **CLOSED | {"resolved_by": hostile}),
    )
    for path in (
        "/safety?status=all",
        ON,
        f"/safety/children/{OTTO}",
        "/safety?not-saved=<u>",
        f"{ON}?saved=<u>",
    ):
        page = await shown(pages, path)
        assert page.status_code == 200
        for tag in ("<b>", "<i>", "<u>"):
            assert tag not in page.text


@pytest.mark.parametrize("path", ["/safety", ON, "/safety/nowhere", "/safety/children/nobody"])
async def test_nothing_inline_and_nothing_from_outside_is_on_the_pages(pages: PagesSide, path: str):
    page = await shown(pages, path)
    for inline in ("style=", "onclick", "<style", "javascript:", "<script>", "//"):
        assert inline not in page.text


async def test_what_a_page_shows_is_on_record_as_the_apis_own_answer(pages: PagesSide):
    def recorded() -> dict[str, set[str]]:
        return {one.operation: set(one.children) for one in pages.side.audit.entries}

    await shown(pages, "/safety")
    assert recorded() == {"GetSafetyViolations": {LENA, OTTO}}
    pages.side.audit.entries.clear()
    await shown(pages, ON)
    asked = ("GetChildProfile", "GetChildSafetyReport", "GetSafetyViolations")
    assert recorded() == {operation: {LENA} for operation in asked}


COMMANDS: dict[str, tuple[dict[str, str], str, str | None, Any]] = {
    "v-open/resolution": (
        {"outcome": "false_positive", "note": " A line\r\nof a song. ", "version": "7"},
        "POST",
        "resolve-v-open-7",
        {"outcome": "false_positive", "note": "A line\nof a song."},
    ),
    "v-done/reopening": (
        {"reason": "It was reported again.", "version": "7"},
        "POST",
        "reopen-v-done-7",
        {"reason": "It was reported again."},
    ),
    "v-open/assignee": (
        {"assignee": "me", "instead_of": ""},
        "PUT",
        None,
        {"assignee": "officer-1", "instead_of": None},
    ),
}


AFTERWARDS = {
    "v-open/resolution": "#violation-v-open",
    "v-done/reopening": "#violation-v-done",
    "v-open/assignee": "#violation-v-open",
}


@pytest.mark.parametrize("what", COMMANDS)
async def test_a_form_is_one_command_however_often_it_is_sent(pages: PagesSide, what: str):
    # given
    form, method, key, body = COMMANDS[what]
    # when
    answers, page = await sent(pages, f"{ON}/violations/{what}", form, form)
    # then
    locations = [answer.headers["Location"] for answer in answers]
    assert locations == [f"{ON}{AFTERWARDS[what]}"] * 2
    assert page.status_code == 200
    for request in pages.commands.requests:
        assert (request.method, request.url.path) == (method, f"{API}/{what}")
        assert request.headers.get("Idempotency-Key") == key
        assert request.headers["Authorization"].startswith("Bearer ")
        assert orjson.loads(request.content) == body
    assert len(pages.commands.requests) == 2


async def test_an_incident_can_be_let_go_and_resolved_without_a_note(pages: PagesSide):
    path = f"{ON}/violations/v-open"
    await sent(pages, f"{path}/assignee", {"assignee": "nobody", "instead_of": "officer-1"})
    await sent(pages, f"{path}/resolution", {"outcome": "confirmed", "note": " ", "version": "7"})
    bodies = [orjson.loads(request.content) for request in pages.commands.requests]
    let_go = {"assignee": None, "instead_of": "officer-1"}
    assert bodies == [let_go, {"outcome": "confirmed"}]


async def test_a_form_takes_an_incident_from_the_one_whom_its_page_shows(pages: PagesSide):
    pages.side.store.violations[f"{LENA}/v-open"]["assignee"] = "officer-2"
    for path in ("/safety", ON):
        page = await shown(pages, path)
        assert "officer-2 looks into it" in page.text
        assert re.findall(r'name="instead_of" value="([^"]*)"', page.text).count("officer-2") == 1
        assert "Lena" in page.text


async def test_the_form_of_a_page_stands_for_the_version_that_it_shows(pages: PagesSide):
    page = await shown(pages, ON)
    assert set(re.findall(r'name="version" value="([^"]+)"', page.text)) == {"7"}
    pages.side.change(LENA)
    page = await shown(pages, ON)
    assert set(re.findall(r'name="version" value="([^"]+)"', page.text)) == {"8"}


async def test_who_takes_an_incident_from_the_list_is_back_where_they_were(pages: PagesSide):
    form = {"assignee": "me", "instead_of": "", "from": "queue"}
    form["shown"] = "status=all&sort=newest&evil=1"
    answers, _ = await sent(pages, f"{ON}/violations/v-open/assignee", form)
    place = "/safety?status=all&sort=newest#violation-v-open"
    assert answers[0].headers["Location"] == place


WRONG: list[tuple[str, dict[str, str], str]] = [
    ("resolution", {"outcome": "maybe", "version": "7"}, "choose an outcome"),
    ("resolution", {"version": "7"}, "choose an outcome"),
    ("resolution", {"outcome": "confirmed"}, "form was incomplete"),
    ("resolution", {"outcome": "confirmed", "version": "7 or 8"}, "form was incomplete"),
    ("resolution", {"outcome": "confirmed", "version": "\u0667"}, "form was incomplete"),
    (
        "resolution",
        {"outcome": "confirmed", "version": "7", "note": "x" * (MOST_NOTE + 1)},
        "note is too long",
    ),
    ("reopening", {"version": "7"}, "say why"),
    ("reopening", {"version": "7", "reason": " \r\n "}, "say why"),
    ("reopening", {"version": "7", "reason": "x" * (MOST_REASON + 1)}, "reason is too long"),
    ("reopening", {"reason": "So."}, "form was incomplete"),
    ("assignee", {}, "form was incomplete"),
    ("assignee", {"assignee": "officer-7", "instead_of": ""}, "form was incomplete"),
    ("assignee", {"assignee": "me"}, "form was incomplete"),
]


@pytest.mark.parametrize(("what", "form", "said"), WRONG)
async def test_a_form_that_is_not_filled_in_is_no_command(
    pages: PagesSide, what: str, form: dict[str, str], said: str
):
    _, page = await sent(pages, f"{ON}/violations/v-open/{what}", form)
    assert pages.commands.requests == []
    assert said in page.text


async def test_the_longest_note_is_taken_in_any_script(pages: PagesSide):
    note = "🧸" * MOST_NOTE
    form = {"outcome": "confirmed", "version": "7", "note": note}
    assert len(httpx2.Request("POST", "http://x", data=form).content) < MOST_FORM_BYTES
    await sent(pages, f"{ON}/violations/v-open/resolution", form)
    assert orjson.loads(pages.commands.requests[0].content)["note"] == note


def test_texts_may_be_as_long_as_the_command_api_has_it():
    assert (NOTE.maximum, REASON.maximum) == (MOST_NOTE, MOST_REASON)


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (409, "violation-already-resolved", "resolved already"),
        (409, "violation-already-assigned", "somebody else looks into it"),
        (409, "concurrent-update", "at the same moment"),
        (422, "idempotency-key-reused", "sent before"),
        (503, "event-store-unavailable", "could not be saved"),
        (400, "<u>&not-saved=x", "could not be saved"),
        (502, "", "could not be saved"),
    ],
)
async def test_why_something_was_not_saved_is_said(
    pages: PagesSide, status: int, code: str, said: str
):
    pages.commands.answer = lambda: httpx2.Response(status, json={"code": code})
    form = {"outcome": "confirmed", "version": "7"}
    _, page = await sent(pages, f"{ON}/violations/v-open/resolution", form)
    assert page.status_code == 200
    assert said in page.text
    assert "<u>" not in page.text


async def test_that_a_child_was_erased_is_said_where_there_still_is_a_page(pages: PagesSide):
    pages.commands.answer = lambda: httpx2.Response(410, json={"code": "child-erased"})
    form = {"reason": "Again.", "version": "7"}
    answers, page = await sent(pages, f"{ON}/violations/v-done/reopening", form)
    assert answers[0].headers["Location"] == "/safety?not-saved=child-erased"
    assert "was erased" in page.text


async def test_what_was_refused_is_not_said_to_be_saved(pages: PagesSide):
    answer = httpx2.Response(409, json={"code": "violation-already-resolved"})
    pages.commands.answer = lambda: answer
    form = {"assignee": "me", "instead_of": "", "shown": "cursor=x+y"}
    async with pages.browser() as browser:
        await pages.sign_in(browser, OFFICER)
        token = {"form_token": form_token_of((await browser.get("/safety")).text)}
        refused = await browser.post(f"{ON}/violations/v-open/assignee", data=token | form)
    assert refused.headers["Location"] == f"{ON}?cursor=x+y&not-saved=violation-already-resolved"


@pytest.mark.parametrize("who", [parent("weiss"), OFFICER])
async def test_a_familys_events_are_for_the_apis_readers(
    pages: PagesSide, side: QuerySide, who: Principal
):
    path = "/safety/families/weiss/stream"
    async with pages.browser() as browser:
        assert (await browser.head(path)).status_code == 401
        await pages.sign_in(browser, who)
        head = await browser.head(path)
    assert head.status_code == (200 if who is OFFICER else 403)
    assert side.open_streams == 0


async def test_an_officer_follows_a_family_by_the_apis_own_stream(
    pages: PagesSide, side: QuerySide
):
    async with pages.browser() as browser:
        await pages.sign_in(browser, OFFICER)
        following = asyncio.create_task(browser.get("/safety/families/weiss/stream"))
        await until(lambda: side.open_streams == 1)
        side.service.edge.streams.close()
        answer = await following
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    followed = [one for one in side.audit.entries if one.operation == "FollowFamily"]
    assert [one.children for one in followed] == [(LENA,)]


@pytest.mark.parametrize(
    ("ago", "age"),
    [
        (timedelta(seconds=-5), ("now", 0)),
        (timedelta(seconds=59), ("now", 0)),
        (timedelta(minutes=59, seconds=59), ("minutes", 59)),
        (timedelta(hours=3), ("hours", 3)),
        (timedelta(hours=24), ("day", 1)),
        (timedelta(days=400), ("days", 400)),
    ],
)
def test_an_age_is_in_the_largest_unit_that_fits(ago: timedelta, age: tuple[str, int]):
    assert ages_at(NOON + ago)(NOON.isoformat()) == age


@pytest.mark.parametrize("path", ["/safety", "/safety?status=all&cursor=", ON, f"{ON}/looks"])
async def test_in_german_nothing_is_english(pages: PagesSide, path: str):
    async with pages.browser(**{"Accept-Language": "de"}) as browser:
        await pages.sign_in(browser, OFFICER)
        page = await browser.get(path)
    words = unescape(page.text)
    english = {one for one in _said(SAFETY_ENGLISH) if " " in one.strip("{} ")}
    assert [one for one in english if one in words] == []
    assert "Vorfälle" in words or "Wer dieses Kind angesehen hat" in words


LANGUAGES: list[tuple[SafetyTexts | LooksTexts, SafetyTexts | LooksTexts]] = [
    (SAFETY_ENGLISH, SAFETY_GERMAN),
    (LOOKS_IN_ENGLISH, LOOKS_IN_GERMAN),
]


@pytest.mark.parametrize("texts", LANGUAGES)
def test_both_languages_say_the_same_things(
    texts: tuple[SafetyTexts | LooksTexts, SafetyTexts | LooksTexts],
):
    for name in texts[0].__slots__:
        english, german = (getattr(one, name) for one in texts)
        if isinstance(english, LooksTexts):
            continue
        if isinstance(english, str):
            assert english.count("{}") == german.count("{}"), name
        else:
            assert english.keys() == german.keys(), name


def _said(texts: SafetyTexts | LooksTexts) -> list[str]:
    said: list[str] = []
    for one in (getattr(texts, name) for name in texts.__slots__):
        if isinstance(one, LooksTexts):
            said += _said(one)
        else:
            said += [one] if isinstance(one, str) else one.values()
    return said
