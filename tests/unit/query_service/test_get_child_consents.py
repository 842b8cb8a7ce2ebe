"""When a parent consented to what, and when that was withdrawn."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from query_service.queries.get_child_consents import GetChildConsents
from query_service.queries.get_child_conversations import GetChildConversations
from query_service.queries.query import RequestRefused
from query_service.queries.visible_children import ChildNotFound
from shared.auth.access import Principal
from shared.event_store.envelope import Actor, Commit, StreamPosition
from shared.event_store.port import StoreUnavailable
from shared.events.child import (
    ChildEvent,
    ConsentMethod,
    ConsentPurpose,
    ConversationStarted,
    ParentalConsentGiven,
    ParentalConsentWithdrawn,
)
from tests.support.commits import offer_of
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent
from tests.support.read_model_builders import NOON

WEISS = parent("weiss")
ACCOUNT, TALKS = ConsentPurpose.ACCOUNT, ConsentPurpose.CONVERSATIONS
MOTHER, OPERATOR = Actor("weiss", "parent"), Actor("admin-1", "admin")


def given(purpose: ConsentPurpose, notice: str = "2026-11", hours: int = 0) -> ChildEvent:
    return ParentalConsentGiven(
        child_id="lena",
        at=NOON + timedelta(hours=hours),
        purpose=purpose,
        notice_version=notice,
        method=ConsentMethod.VIDEO_CALL,
    )


def withdrawn(purpose: ConsentPurpose, hours: int = 0) -> ChildEvent:
    at = NOON + timedelta(hours=hours)
    return ParentalConsentWithdrawn(child_id="lena", at=at, purpose=purpose)


async def happened(side: QuerySide, *commits: tuple[Actor, Sequence[ChildEvent]]) -> None:
    """Lena's stream, one commit after the other."""
    (cipher,) = (await side.keyring.ciphers(["lena"])).values()
    position = StreamPosition()
    for actor, events in commits:
        offer = replace(offer_of(events, position, cipher), actor=actor)
        position = (await side.events.append(offer)).position


@pytest.fixture
async def lena(side: QuerySide) -> QuerySide:
    await side.child("lena", parent_id="weiss")
    return side


def told(version: int, hour: int, change: str, purpose: str, by_role: str) -> dict[str, Any]:
    """As the answer has it, of a consent with its notice and method."""
    is_given = change == "given"
    return {
        "version": version,
        "at": f"2026-11-23T{hour}:00:00.000Z",
        "change": change,
        "purpose": purpose,
        "notice_version": "2026-11" if is_given else None,
        "method": "video_call" if is_given else None,
        "by_role": by_role,
    }


async def test_each_consent_and_each_withdrawal_is_told_the_newest_first(lena: QuerySide):
    # given
    talk = ConversationStarted(child_id="lena", at=NOON, conversation_id="c-1")
    await happened(
        lena,
        (MOTHER, [given(ACCOUNT), given(TALKS)]),
        (MOTHER, [talk]),
        (OPERATOR, [withdrawn(TALKS, hours=1)]),
    )
    # when
    answer = await lena.ask(GetChildConsents("lena"), WEISS)
    # then
    assert answer == {
        "child_id": "lena",
        "items": [
            told(4, 13, "withdrawn", "conversations", "admin"),
            told(2, 12, "given", "conversations", "parent"),
            told(1, 12, "given", "account", "parent"),
        ],
        "next_cursor": None,
        "unreadable": [],
    }


async def test_a_child_without_consents_has_an_empty_history(lena: QuerySide):
    answer = await lena.ask(GetChildConsents("lena"), WEISS)
    assert (answer["items"], answer["next_cursor"]) == ([], None)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_a_history_comes_in_pages_also_where_a_commit_is_on_two(lena: QuerySide, limit: int):
    # given versions 1 to 7
    commits = [
        [given(ACCOUNT), given(TALKS)],
        [withdrawn(ACCOUNT), withdrawn(TALKS)],
        [given(ACCOUNT, "2026-12")],
        [given(TALKS, "2026-12"), withdrawn(TALKS)],
    ]
    await happened(lena, *((MOTHER, events) for events in commits))
    # when
    versions, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = await lena.ask(GetChildConsents("lena", limit, cursor), WEISS)
        assert len(page["items"]) <= limit
        versions += [one["version"] for one in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    # then
    assert (versions, pages) == ([7, 6, 5, 4, 3, 2, 1], -(-7 // limit))


async def test_a_cursor_of_another_list_is_refused(lena: QuerySide):
    # given
    for number in range(2):
        lena.conversation("lena", f"c-{number}")
    other = (await lena.ask(GetChildConversations("lena", limit=1)))["next_cursor"]
    # then
    with pytest.raises(RequestRefused):
        await lena.ask(GetChildConsents("lena", cursor=other), WEISS)


async def test_what_is_withdrawn_is_told_before_the_read_models_show_it(lena: QuerySide):
    await happened(lena, (MOTHER, [given(ACCOUNT)]))
    first = await lena.ask(GetChildConsents("lena"), WEISS)
    position = (await lena.events.load("lena"))[-1].position
    (cipher,) = (await lena.keyring.ciphers(["lena"])).values()
    # when no notice of it has come yet
    await lena.events.append(offer_of([withdrawn(ACCOUNT)], position, cipher))
    answer = await lena.ask(GetChildConsents("lena"), WEISS)
    # then
    assert len(first["items"]) == 1
    assert [one["change"] for one in answer["items"]] == ["withdrawn", "given"]


async def test_a_notice_that_does_not_open_is_null_and_all_else_is_told(lena: QuerySide):
    # given
    await happened(lena, (MOTHER, [given(ACCOUNT)]), (MOTHER, [withdrawn(ACCOUNT)]))
    await lena.close_key("lena")
    # when
    answer = await lena.ask(GetChildConsents("lena"), OFFICER)
    # then
    last, first = answer["items"]
    assert (first["purpose"], first["method"], first["notice_version"]) == (
        "account",
        "video_call",
        None,
    )
    assert last["purpose"] == "account"
    assert answer["unreadable"] == [1]


async def test_a_consent_of_a_later_release_is_told_as_far_as_it_can_be_read(lena: QuerySide):
    # given an event of a schema that this release does not know
    (cipher,) = (await lena.keyring.ciphers(["lena"])).values()
    offer = offer_of([given(ACCOUNT)], StreamPosition(), cipher)
    later = tuple(replace(one, schema_version=99) for one in offer.events)
    await lena.events.append(replace(offer, events=later))
    # when
    answer = await lena.ask(GetChildConsents("lena"), WEISS)
    # then
    (only,) = answer["items"]
    assert (only["change"], only["at"]) == ("given", "2026-11-23T12:00:00.000Z")
    assert only["purpose"] is only["notice_version"] is only["method"] is None
    assert answer["unreadable"] == [1]


async def test_an_event_store_that_is_away_is_said_to_be(
    lena: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: object) -> list[Commit]:
        raise StoreUnavailable("away")

    monkeypatch.setattr(lena.events, "consents", away)
    answer = await lena.get("/v1/children/lena/consents", WEISS)
    assert_problem(answer, 503, "event-store-unavailable")


async def test_of_an_erased_child_nothing_is_told(lena: QuerySide):
    # given one whose read models were not told yet
    await happened(lena, (MOTHER, [given(ACCOUNT)]))
    await lena.destroy_key("lena")
    # then
    with pytest.raises(ChildNotFound):
        await lena.ask(GetChildConsents("lena"), WEISS)


@pytest.mark.parametrize(
    ("asker", "status", "code"),
    [
        (WEISS, 200, None),
        (OFFICER, 200, None),
        (ADMIN, 200, None),
        (parent("braun"), 404, "child-not-found"),
        (device("bear-7"), 403, "forbidden"),
        (ANALYST, 403, "forbidden"),
    ],
    ids=str,
)
async def test_the_family_and_who_looks_after_children_may_ask(
    side: QuerySide, asker: Principal, status: int, code: str | None
):
    # given a child whose bear asks, too
    await side.child("lena", parent_id="weiss", device_id="bear-7")
    await happened(side, (MOTHER, [given(ACCOUNT)]))
    # when
    answer = await side.get("/v1/children/lena/consents?limit=200", asker)
    # then
    if code is None:
        assert (answer.status_code, len(answer.json()["items"])) == (status, 1)
    else:
        assert_problem(answer, status, code)
