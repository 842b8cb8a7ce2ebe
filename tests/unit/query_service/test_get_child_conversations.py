from datetime import timedelta

import pytest

from query_service.queries.errors import ChildNotFound
from query_service.queries.get_child_conversations import GetChildConversations
from query_service.scope import Forbidden
from tests.support.query_side import OFFICER, QuerySide, device, parent
from tests.support.read_model_builders import NOON, conversation_document

HOUR = timedelta(hours=1)


def keep(side: QuerySide, conversation_id: str, child_id: str = "lena", **fields: object) -> None:
    document = conversation_document(child_id, conversation_id, **fields)
    side.store.conversations[document["_id"]] = document


async def test_a_conversation_is_told_with_its_topics_and_minutes(side: QuerySide) -> None:
    # given
    await side.child("lena", version=9)
    keep(
        side,
        "c1",
        ended_at=NOON + HOUR,
        duration_minutes=60.0489,
        message_count=12,
        topic="bears",
        topics=["bears", "stars"],
        engagement_score=80.0,
        flagged=1,
        safety_violations=2,
    )
    # when
    answer = await side.ask(GetChildConversations("lena"))
    # then
    assert answer == {
        "child_id": "lena",
        "version": 9,
        "stale_since": None,
        "items": [
            {
                "conversation_id": "c1",
                "started_at": "2026-11-23T12:00:00.000Z",
                "ended_at": "2026-11-23T13:00:00.000Z",
                "duration_minutes": 60.0,
                "message_count": 12,
                "topic": "bears",
                "topics": ["bears", "stars"],
                "engagement_score": 80.0,
                "flagged": 1,
                "safety_violations": 2,
            }
        ],
        "next_cursor": None,
    }


async def test_conversations_come_in_pages_the_newest_first(side: QuerySide) -> None:
    # given five, of which two began at the same moment
    await side.child("lena")
    for number in range(5):
        keep(side, f"c{number}", started_at=NOON + number // 2 * HOUR)
    keep(side, "other", child_id="tom")
    # when
    seen: list[str] = []
    cursor = None
    while True:
        page = await side.ask(GetChildConversations("lena", limit=2, cursor=cursor))
        seen += [one["conversation_id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    # then
    assert seen == ["c4", "c2", "c3", "c0", "c1"]


async def test_one_that_goes_on_has_no_end(side: QuerySide) -> None:
    # given
    await side.child("lena")
    keep(side, "c1", message_count=3)
    # when
    (talk,) = (await side.ask(GetChildConversations("lena")))["items"]
    # then
    assert (talk["ended_at"], talk["duration_minutes"]) == (None, 0.0)


async def test_a_change_of_the_child_drops_every_page(side: QuerySide) -> None:
    # given
    await side.child("lena")
    keep(side, "c1")
    assert len((await side.ask(GetChildConversations("lena")))["items"]) == 1
    # when
    keep(side, "c2")
    side.change("lena")
    # then
    assert len((await side.ask(GetChildConversations("lena")))["items"]) == 2


async def test_only_the_family_and_staff_see_conversations(side: QuerySide) -> None:
    # given
    await side.child("lena", parent_id="weiss", device_id="bear-7")
    # when / then
    for principal in (parent("weiss"), OFFICER):
        assert await side.ask(GetChildConversations("lena"), principal)
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildConversations("lena"), parent("braun"))
    # they tell of reports, which are nothing for the bear
    with pytest.raises(Forbidden):
        await side.ask(GetChildConversations("lena"), device("bear-7"))
