"""Callers, forms and command APIs that are not as usual: nothing fails, nothing is lost."""

from collections.abc import Callable

import httpx2
import orjson
import pytest
from starlette.types import Message

from query_service.pages.english import ENGLISH
from query_service.pages.preferences import preferences_of
from tests.support.pages import PagesSide, form_token_of
from tests.support.query_side import QuerySide, parent

LENA = "11111111-1111-4111-8111-111111111111"
PAGE = f"/dashboard/children/{LENA}"


async def reactivated(pages: PagesSide, *headers: tuple[str, bytes]) -> httpx2.Response:
    async with pages.browser() as browser:
        await pages.sign_in(browser, parent("weiss"))
        fields = {"form_token": form_token_of((await browser.get(PAGE)).text), "version": "1"}
        return await browser.post(
            f"{PAGE}/reactivation",
            data=fields,
            headers=[(name.encode(), value) for name, value in headers],
        )


@pytest.fixture
async def pages(side: QuerySide) -> PagesSide:
    await side.child(LENA, parent_id="weiss")
    return PagesSide(side)


@pytest.mark.parametrize("subject", ["auth0|123", "a@b.example", "a+b%20?#"])
async def test_a_parent_of_any_subject_sees_the_family(side: QuerySide, subject: str):
    await side.child(LENA, parent_id=subject, name="Lena")
    pages = PagesSide(side)
    async with pages.browser() as browser:
        await pages.sign_in(browser, parent(subject))
        page = await browser.get("/dashboard")
    assert page.status_code == 200
    assert "Lena" in page.text


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        ("*", (404, "not-found")),
        ("", (404, "not-found")),
        ("dashboard", (404, "not-found")),
        ("a/b", (404, "not-found")),
        ("http://pages.example/dashboard", (400, "malformed-request")),
    ],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_a_target_that_is_no_path_is_answered_as_any_unknown_one(
    pages: PagesSide, method: str, target: str, refusal: tuple[int, str]
):
    # given
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"pages.example")],
        "client": ("192.0.2.7", 1),
        "server": ("pages.example", 80),
    }
    # when
    await pages.side.app(scope, receive, send)
    # then
    start, body = sent[0], b"".join(one.get("body", b"") for one in sent[1:])
    problem = orjson.loads(body)
    assert (start["status"], problem["code"]) == refusal


async def test_all_addresses_that_a_form_came_through_are_passed_on(pages: PagesSide):
    lines = [("X-Forwarded-For", b"1.2.3.4"), ("X-Forwarded-For", b"9.9.9.9")]
    await reactivated(pages, *lines)
    (command,) = pages.commands.requests
    assert command.headers["X-Forwarded-For"].startswith("1.2.3.4, 9.9.9.9, ")


async def test_an_address_in_no_ascii_fails_nothing(pages: PagesSide):
    assert (await reactivated(pages, ("X-Forwarded-For", b"\xe4"))).status_code == 303


async def test_an_origin_that_is_no_address_is_elsewhere(pages: PagesSide):
    assert (await reactivated(pages, ("Origin", b"http://[::1"))).status_code == 403


async def test_a_redirect_is_no_command_that_was_done(pages: PagesSide):
    pages.commands.answer = lambda: httpx2.Response(307, headers={"Location": "http://x/"})
    assert "not-saved=" in (await reactivated(pages)).headers["Location"]


def test_preferences_that_are_nested_too_deeply_are_refused():
    with pytest.raises(ValueError, match=r"^$"):
        preferences_of("a: " + "[" * 300 + "]" * 300)


def of_a_proxy() -> httpx2.Response:
    return httpx2.Response(200, html="<html><h1>Maintenance</h1></html>")


def of_a_proxy_that_says_it_is_json() -> httpx2.Response:
    return httpx2.Response(201, content=b"<html>", headers={"Content-Type": "application/json"})


def of_nothing() -> httpx2.Response:
    return httpx2.Response(204)


def a_list() -> httpx2.Response:
    return httpx2.Response(200, json=[])


def a_bad_gateway() -> httpx2.Response:
    return httpx2.Response(502, html="<html><h1>Bad Gateway</h1></html>")


def a_gateway_without_a_server() -> httpx2.Response:
    return httpx2.Response(503, html="<html><h1>Service Unavailable</h1></html>")


def a_gateway_that_waited_too_long() -> httpx2.Response:
    return httpx2.Response(504, html="<html><h1>Gateway Timeout</h1></html>")


def too_late() -> httpx2.Response:
    raise httpx2.ReadTimeout("no answer")


@pytest.mark.parametrize(
    "answer",
    [
        of_a_proxy,
        of_a_proxy_that_says_it_is_json,
        of_nothing,
        a_list,
        a_bad_gateway,
        a_gateway_without_a_server,
        a_gateway_that_waited_too_long,
        too_late,
    ],
)
async def test_what_the_command_api_did_not_answer_is_not_known_to_be_done(
    pages: PagesSide, answer: Callable[[], httpx2.Response]
):
    # when
    pages.commands.answer = answer
    location = (await reactivated(pages)).headers["Location"]
    # then
    assert "not-saved=outcome-unknown" in location
    async with pages.browser() as browser:
        await pages.sign_in(browser, parent("weiss"))
        page = (await browser.get(location)).text
    assert ENGLISH.outcome_unknown in page


async def test_what_the_command_api_answered_is_done(pages: PagesSide):
    pages.commands.answer = lambda: httpx2.Response(202, json={"child_id": LENA})
    assert "not-saved" not in (await reactivated(pages)).headers["Location"]
