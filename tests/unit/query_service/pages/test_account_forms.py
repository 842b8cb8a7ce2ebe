"""The forms of a child's account: which commands they send, and what they say where they do not."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import orjson
import pytest

from command_service.bus.errors import ConcurrentUpdate, Forbidden, IdempotencyKeyReused
from command_service.child import field_checks
from command_service.child.errors import (
    AlreadyDeactivated,
    ChildDeactivatedError,
    ChildErasedError,
    ChildNotFound,
    CommandRefused,
    ConsentRequired,
    InvalidCommand,
    NotDeactivated,
    UdidTaken,
)
from query_service.pages import account_forms
from query_service.pages.english import ENGLISH
from query_service.pages.german import GERMAN
from query_service.pages.preferences import lines_of, preferences_of
from shared.http.recent_requests import recent_requests_of
from tests.support.pages import NOTICE, PagesSide, form_token_of
from tests.support.query_side import QuerySide, parent
from tests.support.read_model_builders import NOON

WEISS = parent("weiss")
LENA, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
PAGE = f"/dashboard/children/{LENA}"
GIVEN = {"notice_version": "2026-10", "method": "signed_form", "given_at": NOON}
PREFERENCES = {"stories": True, "colour": "green", "favourite": {"animal": "bear"}}


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    await side.child(
        LENA,
        parent_id="weiss",
        name="Lena <b>Weiss</b>",
        version=7,
        interests=["space", "<i>music</i>"],
        learning_style="</textarea><u>",
        preferences=PREFERENCES,
        consents={
            "account": GIVEN | {"withdrawn_at": None},
            "conversations": GIVEN | {"withdrawn_at": NOON},
        },
    )
    await side.child(OTHER, parent_id="braun", name="Otto Braun")
    return PagesSide(side, notice=NOTICE)


@pytest.fixture
async def browser(pages: PagesSide) -> AsyncIterator[httpx2.AsyncClient]:
    async with pages.browser() as browser:
        await pages.sign_in(browser, WEISS)
        yield browser


async def fields_of(browser: httpx2.AsyncClient, form: str) -> dict[str, str]:
    """As the page shows them, what is not typed into."""
    page = (await browser.get(PAGE)).text
    found = re.search(rf'<form method="post" action="{PAGE}/{form}".*?</form>', page, re.DOTALL)
    assert found is not None
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found[0]))


async def send(
    browser: httpx2.AsyncClient, form: str, fields: Mapping[str, str]
) -> tuple[httpx2.Response, str]:
    """The answer to a form, and the text of the page that it leads to."""
    answer = await browser.post(f"{PAGE}/{form}", data=dict(fields))
    assert answer.status_code == 303
    return answer, (await browser.get(answer.headers["Location"])).text


def commands(pages: PagesSide) -> list[tuple[str, str, Any]]:
    return [
        (one.method, one.url.path, orjson.loads(one.content) if one.content else None)
        for one in pages.commands.requests
    ]


SHOWN = {
    "name": "Lena <b>Weiss</b>",
    "age": "7",
    "interests": "space\r\n<i>music</i>",
    "learning_style": "</textarea><u>",
    "preferences": 'stories: true\r\ncolour: green\r\nfavourite: {"animal":"bear"}',
}
POLICY = {"threshold": "medium", "count": "5", "window_hours": "48", "channel_in_app": "on"}

SENT = [
    ("profile", {**SHOWN, "name": " Lena Maria "}, "PATCH", "profile", {"name": "Lena Maria"}),
    ("profile", {**SHOWN, "age": "8"}, "PATCH", "profile", {"age": 8}),
    ("profile", {**SHOWN, "interests": "\r\n"}, "PATCH", "profile", {"interests": None}),
    ("profile", {**SHOWN, "learning_style": ""}, "PATCH", "profile", {"learning_style": None}),
    (
        "profile",
        {**SHOWN, "interests": "bears", "preferences": "stories: false"},
        "PATCH",
        "profile",
        {"interests": ["bears"], "preferences": {"stories": False}},
    ),
    (
        "alert-policy",
        {**POLICY, "channel_email": "on"},
        "PUT",
        "alert-policy",
        {"threshold": "medium", "count": 5, "window_hours": 48, "channels": ["in_app", "email"]},
    ),
    (
        "consents/conversations",
        {"notice_read": "on"},
        "PUT",
        "consents/conversations",
        {"notice_version": "2026-11", "method": "video_call"},
    ),
    ("consents/account/withdrawal", {}, "DELETE", "consents/account", None),
    ("deactivation", {"reason": "a\r\nb"}, "POST", "deactivation", {"reason": "a\nb"}),
]


@pytest.mark.parametrize(("form", "typed", "method", "path", "body"), SENT)
async def test_a_form_is_one_command_however_often_it_is_sent(
    pages: PagesSide,
    browser: httpx2.AsyncClient,
    form: str,
    typed: dict[str, str],
    method: str,
    path: str,
    body: Any,
):
    # given
    fields = await fields_of(browser, form)
    # when
    for _ in range(2):
        answer, page = await send(browser, form, fields | typed)
    # then
    assert commands(pages) == [(method, f"/v1/children/{LENA}/{path}", body)] * 2
    first, second = (one.headers["Idempotency-Key"] for one in pages.commands.requests)
    assert first == second
    assert f"{LENA}-7" in first
    assert "?saved=" in answer.headers["Location"]
    assert 'class="notice good"' in page


async def test_when_the_child_has_moved_on_the_same_form_is_another_command(
    pages: PagesSide, side: QuerySide, browser: httpx2.AsyncClient
):
    for _ in range(2):
        await send(browser, "alert-policy", await fields_of(browser, "alert-policy") | POLICY)
        side.change(LENA)
    first, second = (one.headers["Idempotency-Key"] for one in pages.commands.requests)
    assert first != second


async def test_all_of_a_page_shows_what_its_reader_wrote_though_no_notice_came_yet(
    pages: PagesSide, side: QuerySide, browser: httpx2.AsyncClient
):
    # given answers that are kept
    side.report(LENA)
    fields = await fields_of(browser, "alert-policy")
    assert '<option value="high" selected>' in (await browser.get(PAGE)).text

    # when a change is projected whose notice is still on its way
    def changed() -> httpx2.Response:
        side.store.children[LENA]["version"] = 8
        side.store.safety_documents[LENA]["alert_policy"] = {
            "threshold": "medium",
            "count": 5,
            "window_hours": 48,
            "channels": ["in_app"],
        }
        seen = side.service.edge.tokens.issue(LENA, 8)
        return httpx2.Response(200, json={}, headers={"Consistency-Token": seen})

    pages.commands.answer = changed
    _, page = await send(browser, "alert-policy", fields | POLICY)
    # then
    assert '<option value="medium" selected>' in page
    assert '<option value="high" selected>' not in page


async def test_what_is_not_projected_in_time_is_said_to_be_not_shown_yet(
    pages: PagesSide, side: QuerySide, browser: httpx2.AsyncClient
):
    # given
    fields = await fields_of(browser, "alert-policy")
    seen = side.service.edge.tokens.issue(LENA, 8)
    pages.commands.answer = lambda: httpx2.Response(
        200, json={}, headers={"Consistency-Token": seen}
    )
    # when
    _, page = await send(browser, "alert-policy", fields | POLICY)
    # then it waited for it once, and looks again
    assert ENGLISH.lacks_own in page
    assert "data-again" in page
    refused = recent_requests_of(side.app).figures().refused_by_code
    assert refused == {"read-model-late": 1}
    # when it is projected
    side.change(LENA)
    # then
    assert ENGLISH.lacks_own not in (await browser.get(PAGE)).text


async def test_a_form_with_other_content_is_another_command(
    pages: PagesSide, browser: httpx2.AsyncClient
):
    shown = await fields_of(browser, "alert-policy")
    for hours in ("1", "720"):
        await send(browser, "alert-policy", shown | POLICY | {"window_hours": hours})
    first, second = (one.headers["Idempotency-Key"] for one in pages.commands.requests)
    assert first != second


async def test_a_profile_that_stays_as_it_is_is_no_command(
    pages: PagesSide, browser: httpx2.AsyncClient
):
    _, page = await send(browser, "profile", await fields_of(browser, "profile") | SHOWN)
    assert "Nothing was changed." in page
    assert pages.commands.requests == []


async def test_a_deactivated_child_is_reactivated(
    pages: PagesSide, side: QuerySide, browser: httpx2.AsyncClient
):
    side.change(LENA, status="deactivated")
    await send(browser, "reactivation", await fields_of(browser, "reactivation"))
    assert commands(pages) == [("POST", f"/v1/children/{LENA}/reactivation", None)]


WRONG = [
    ("profile", {**SHOWN, "age": "99"}, ["age"]),
    ("profile", {**SHOWN, "age": "\N{ARABIC-INDIC DIGIT SEVEN}"}, ["age"]),
    ("profile", {**SHOWN, "age": "-7", "name": "x" * 101}, ["name", "age"]),
    ("profile", {**SHOWN, "name": "   "}, ["name"]),
    ("profile", {**SHOWN, "learning_style": "x" * 65}, ["learning_style"]),
    ("profile", {**SHOWN, "interests": "a\n" * 21}, ["interests"]),
    ("profile", {**SHOWN, "preferences": "no colon"}, ["preferences"]),
    ("profile", {**SHOWN, "preferences": f"a: {'x' * 8_192}"}, ["preferences"]),
    ("alert-policy", {**POLICY, "threshold": "<b>"}, ["threshold"]),
    ("alert-policy", {**POLICY, "count": "1", "window_hours": "721"}, ["count", "window_hours"]),
    ("alert-policy", {"threshold": "low", "count": "2", "window_hours": "1"}, ["channels"]),
    ("alert-policy", {}, ["threshold", "count", "window_hours", "channels"]),
    ("deactivation", {"reason": "x" * 501}, ["reason"]),
    ("consents/conversations", {}, ["notice_read"]),
    ("consents/conversations", {"notice_version": "old"}, ["notice_version"]),
]


@pytest.mark.parametrize(("form", "typed", "wrong"), WRONG)
async def test_what_is_wrong_with_a_form_is_said_and_nothing_is_sent(
    pages: PagesSide,
    browser: httpx2.AsyncClient,
    form: str,
    typed: dict[str, str],
    wrong: list[str],
):
    _, page = await send(browser, form, await fields_of(browser, form) | typed)
    texts = ENGLISH.account_forms.wrong
    assert [name for name in texts if texts[name] in page] == wrong
    assert pages.commands.requests == []


REFUSALS = [
    ({"code": "consent-required"}, "Your consent is missing"),
    ({"code": "udid-taken"}, "belongs to another child"),
    ({"code": "<b>"}, "could not be saved"),
    ({"code": "of-tomorrow"}, "could not be saved"),
    ({"code": "invalid-request", "errors": [{"field": "interests.3"}]}, "at most 20 interests"),
    ({"code": "invalid-request", "errors": [{"field": "<b>"}, {}]}, "something in the form"),
    ({"code": "invalid-request", "errors": [None]}, "something in the form"),
    ({"code": None, "errors": "x"}, "could not be saved"),
]


@pytest.mark.parametrize(("problem", "said"), REFUSALS)
async def test_why_a_command_was_refused_is_said(
    pages: PagesSide, browser: httpx2.AsyncClient, problem: dict[str, Any], said: str
):
    pages.commands.answer = lambda: httpx2.Response(409, json=problem)
    answer, page = await send(
        browser, "alert-policy", await fields_of(browser, "alert-policy") | POLICY
    )
    assert said in page
    assert "%3Cb" not in answer.headers["Location"]


async def test_nothing_in_the_address_is_shown(browser: httpx2.AsyncClient):
    page = await browser.get(f"{PAGE}?not-saved=Call+0900&wrong=Call+0900&saved=Call+0900")
    assert "0900" not in page.text


FORMS = sorted({form for form, *_ in SENT} | {"reactivation"})


@pytest.mark.parametrize("form", FORMS)
async def test_another_familys_child_is_not_there_for_a_form(
    pages: PagesSide, browser: httpx2.AsyncClient, form: str
):
    fields = {**await fields_of(browser, "profile"), **POLICY, "reason": "x", "age": "8"}
    for child in (OTHER, "nobody"):
        answer = await browser.post(f"/dashboard/children/{child}/{form}", data=fields)
        assert answer.status_code == 404
    assert pages.commands.requests == []


@pytest.mark.parametrize("form", FORMS)
async def test_a_form_needs_its_sessions_token(
    pages: PagesSide, browser: httpx2.AsyncClient, form: str
):
    fields = await fields_of(browser, "profile") | {"form_token": "0" * 32}
    answer = await browser.post(f"{PAGE}/{form}", data=fields)
    assert answer.status_code == 403
    assert pages.commands.requests == []


@pytest.mark.parametrize("version", ["", "x", "7 ", "-1", "\N{ARABIC-INDIC DIGIT SEVEN}", "1" * 16])
async def test_a_form_says_as_of_when_it_was_shown(
    pages: PagesSide, browser: httpx2.AsyncClient, version: str
):
    fields = await fields_of(browser, "profile")
    answer = await browser.post(f"{PAGE}/deactivation", data=fields | {"version": version})
    assert answer.status_code == 400
    assert pages.commands.requests == []


async def test_what_no_purpose_is_nobody_consents_to(pages: PagesSide, browser: httpx2.AsyncClient):
    fields = await fields_of(browser, "profile")
    assert (await browser.post(f"{PAGE}/consents/selling", data=fields)).status_code == 404
    assert pages.commands.requests == []


async def test_without_a_notice_consent_is_withdrawn_and_not_given(
    side: QuerySide, pages: PagesSide
):
    other = QuerySide()
    await other.child(LENA, parent_id="weiss", consents={"account": GIVEN | {"withdrawn_at": None}})
    without = PagesSide(other)
    async with without.browser() as browser:
        await without.sign_in(browser, WEISS)
        page = (await browser.get(PAGE)).text
        fields = {"form_token": form_token_of(page), "version": "1", "notice_read": "on"}
        given = await browser.post(f"{PAGE}/consents/conversations", data=fields)
    assert "Your provider takes consents." in page
    assert "notice_read" not in page
    assert f"{PAGE}/consents/account/withdrawal" in page
    assert given.status_code == 404
    assert without.commands.requests == []


async def test_consents_are_shown_with_their_times_and_what_withdrawing_does(
    browser: httpx2.AsyncClient,
):
    page = (await browser.get(PAGE)).text
    assert "withdraws all consents" in page
    assert page.count("Notice 2026-10, by a signed form.") == 2
    assert "withdrawn <time" in page
    assert "not given" in page


async def test_what_was_written_is_shown_as_text_in_forms(browser: httpx2.AsyncClient):
    page = (await browser.get(PAGE)).text
    assert "&lt;/textarea&gt;&lt;u&gt;" in page
    assert "&lt;i&gt;music&lt;/i&gt;" in page
    for tag in ("<b>", "<i>", "<u>"):
        assert tag not in page


async def test_a_name_that_is_not_known_is_not_asked_for(
    side: QuerySide, browser: httpx2.AsyncClient
):
    await side.child(LENA, parent_id="weiss", name=None)
    page = (await browser.get(PAGE)).text
    assert 'id="name"' not in page
    assert 'id="age"' in page


async def test_each_child_has_its_days_on_the_dashboard(
    side: QuerySide, browser: httpx2.AsyncClient
):
    side.activity(LENA, NOON.date().isoformat(), messages=12)
    page = (await browser.get("/dashboard")).text
    chart = page.partition(f'id="trend-{LENA}"')[2].partition("</svg>")[0]
    assert chart.count("<rect") == 30
    assert f"{NOON.date()}: 12" in chart


async def test_a_large_family_has_the_days_of_its_first_children(
    side: QuerySide, browser: httpx2.AsyncClient
):
    for number in range(3, 12):
        await side.child(f"{number:08}-1111-4111-8111-111111111111", parent_id="weiss")
    page = (await browser.get("/dashboard")).text
    assert page.count('id="child-') == 10
    assert page.count('id="trend-') == 6


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (ENGLISH.account_forms, GERMAN.account_forms),
        (ENGLISH.account_forms.erasures, GERMAN.account_forms.erasures),
    ],
)
def test_a_translation_of_the_account_says_the_same_things(english: Any, german: Any):
    assert ENGLISH.refusals.keys() == GERMAN.refusals.keys()
    for name in english.__slots__:
        ours, theirs = getattr(english, name), getattr(german, name)
        if isinstance(ours, str):
            assert ours.count("{}") == theirs.count("{}"), name
        elif isinstance(ours, Mapping) and ours:
            assert ours.keys() == theirs.keys(), name


def test_every_reason_that_a_form_may_be_refused_for_has_a_text():
    reasons: set[type[CommandRefused]] = {ConsentRequired, ChildDeactivatedError}
    reasons |= {AlreadyDeactivated, NotDeactivated}
    reasons |= {UdidTaken, ChildErasedError, ChildNotFound, ConcurrentUpdate}
    reasons |= {InvalidCommand, IdempotencyKeyReused, Forbidden}
    assert {one.code for one in reasons} <= ENGLISH.refusals.keys()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (account_forms.AGE, field_checks.AGE),
        (account_forms.NAME, field_checks.NAME),
        (account_forms.LABEL, field_checks.LABEL),
        (account_forms.INTERESTS, field_checks.LABELS),
        (account_forms.REASON, field_checks.REASON),
        (account_forms.ALERT_COUNT, field_checks.ALERT_COUNT),
        (account_forms.ALERT_WINDOW_HOURS, field_checks.ALERT_WINDOW_HOURS),
    ],
)
def test_forms_have_the_limits_of_the_command_api(
    ours: account_forms.Span, theirs: field_checks.Limit
):
    assert (ours.least, ours.most) == (theirs.minimum, theirs.maximum)


@pytest.mark.parametrize(
    "preferences",
    [
        None,
        PREFERENCES,
        {"a": "true", "b": "1", "c": " spaces ", "d": "two\nlines", "e": "", "f": '"quoted"'},
        {"a": None, "b": [1, 2.5], "c": "10:30", "d": 1.0},
    ],
)
def test_preferences_are_lines_and_come_back_the_same(preferences: dict[str, Any] | None):
    lines = lines_of(preferences)
    assert lines is not None
    assert orjson.dumps(preferences_of(lines)) == orjson.dumps(preferences)


@pytest.mark.parametrize("preferences", [{"a:b": 1}, {" a": 1}, {"": 1}, {"a\nb": 1}])
def test_preferences_that_lines_cannot_say_are_left_alone(preferences: dict[str, Any]):
    assert lines_of(preferences) is None


@pytest.mark.parametrize("text", ["a", ": b", "a: 1\na: 2"])
def test_lines_that_are_no_preferences_are_refused(text: str):
    with pytest.raises(ValueError, match=r"^$"):
        preferences_of(text)
