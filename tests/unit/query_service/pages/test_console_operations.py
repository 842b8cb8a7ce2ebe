"""Rebuilds and redrives from the console: each form one operation, and how far each is."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import orjson
import pytest

from query_service.pages.operation_forms import KINDS
from query_service.pages.texts_of_console import CONSOLE_ENGLISH, CONSOLE_GERMAN
from query_service.read_store.operations import DeadLetteredChild
from shared.auth.access import Principal
from shared.operations import OperationKind, OperationState
from shared.read_models.operation_states import OperationStanding
from tests.support.pages import PagesSide, form_token_of
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, parent
from tests.unit.query_service.pages.test_operators import LENA, WELL, shown

START = "/console/operations"


@pytest.fixture
def pages(side: QuerySide) -> PagesSide:
    side.store.known, side.store.through = WELL, side.now
    return PagesSide(side)


def form_of(page: str, kind: str) -> dict[str, str]:
    """The fields of the page's first form that begins a `kind`."""
    forms = re.findall(rf'<form method="post" action="{START}">(.*?)</form>', page, re.DOTALL)
    fields = [dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', form)) for form in forms]
    return next(one for one in fields if one["kind"] == kind)


async def sent(pages: PagesSide, form: dict[str, str], times: int = 1) -> list[httpx2.Response]:
    """The answers to the form, then the page that the last one leads to."""
    async with pages.browser() as browser:
        await pages.sign_in(browser, ADMIN)
        form = {"form_token": form_token_of((await browser.get("/console")).text)} | form
        answers = [await browser.post(START, data=form) for _ in range(times)]
        return [*answers, await browser.get(answers[-1].headers["Location"])]


def test_the_kinds_are_those_of_the_command_api():
    assert {*OperationKind} == KINDS
    for texts in (CONSOLE_ENGLISH, CONSOLE_GERMAN):
        assert texts.kinds.keys() == texts.begins.keys() == KINDS
        assert texts.operation_states.keys() == {*OperationState}


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_form_is_one_operation_however_often_it_is_sent(pages: PagesSide, kind: str):
    # given
    form = form_of((await shown(pages)).text, kind)
    # when
    *answers, page = await sent(pages, {"kind": kind, "once": form["once"]}, times=2)
    # then
    assert [answer.headers["Location"] for answer in answers] == ["/console?saved=asked-for"] * 2
    assert CONSOLE_ENGLISH.asked_for in page.text
    first, second = pages.commands.requests
    assert (first.method, first.url.path) == ("POST", "/v1/operations")
    assert orjson.loads(first.content) == {"kind": kind}
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


async def test_another_page_asks_for_another_operation(pages: PagesSide):
    first, second = [form_of((await shown(pages)).text, "rebuild") for _ in range(2)]
    assert first["once"] != second["once"]


async def test_a_dead_lettered_child_is_projected_again_by_its_own_button(pages: PagesSide):
    # given
    child = DeadLetteredChild(LENA, pages.side.now, "UndecodableEvent")
    pages.side.store.known = replace(WELL, dead_lettered=1, children=[child])
    page = (await shown(pages)).text
    assert page.count(f'name="child_id" value="{LENA}"') == 1
    # when
    once = form_of(page, "redrive-children")["once"]
    await sent(pages, {"kind": "redrive-children", "once": once, "child_id": LENA})
    # then
    (request,) = pages.commands.requests
    assert orjson.loads(request.content) == {"kind": "redrive-children", "child_ids": [LENA]}


ONCE = "22222222-2222-4222-8222-222222222222"


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"kind": "rebuild"},
        {"kind": "rebuild", "once": "now"},
        {"kind": "drop-everything", "once": ONCE},
        {"kind": "redrive-children", "once": ONCE, "child_id": "../lena"},
    ],
)
async def test_what_is_no_form_of_the_console_begins_nothing(
    pages: PagesSide, form: dict[str, str]
):
    *_, page = await sent(pages, form)
    assert pages.commands.requests == []
    assert CONSOLE_ENGLISH.refusals["form-incomplete"] in page.text


async def test_why_nothing_was_begun_is_said(pages: PagesSide):
    problem = {"code": "operation-running", "operation_id": ONCE}
    pages.commands.answer = lambda: httpx2.Response(409, json=problem)
    *_, page = await sent(pages, {"kind": "rebuild", "once": ONCE})
    assert CONSOLE_ENGLISH.refusals["operation-running"] in page.text
    assert CONSOLE_ENGLISH.asked_for not in page.text


@pytest.mark.parametrize("other", [parent("weiss"), OFFICER, ANALYST])
async def test_nobody_else_begins_anything(pages: PagesSide, other: Principal):
    async with pages.browser() as browser:
        await pages.sign_in(browser, other)
        answer = await browser.post(START, data={"kind": "rebuild", "once": ONCE})
    assert answer.status_code == 403
    assert pages.commands.requests == []


async def test_how_far_each_is_and_what_came_of_it(pages: PagesSide):
    # given
    def one(name: str, **fields: Any) -> OperationStanding:
        asked = pages.side.now - timedelta(minutes=1)
        return OperationStanding(name, "rebuild", "<admin>", asked, **fields)

    pages.side.store.started = [
        one("new", state=OperationState.REQUESTED),
        one("now", state=OperationState.RUNNING, done=40, total=120),
        one("old", state=OperationState.FAILED, outcome="another rebuild ran"),
    ]
    # when
    page = (await shown(pages)).text
    # then
    assert re.findall(r'id="operation-(\w+)"', page) == ["new", "now", "old"]
    assert '<progress id="progress-now" max="120" value="40"' in page
    assert page.count("<progress") == 1
    assert "another rebuild ran" in page
    assert "&lt;admin&gt; asked for it" in page
    assert "<admin>" not in page
