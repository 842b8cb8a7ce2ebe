"""A cursor goes on with the list that it is of, and with no other."""

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from query_service.queries.cursors import Cursors
from query_service.queries.get_alerts import GetAlerts
from query_service.queries.get_child_conversations import GetChildConversations
from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.queries.query import RequestRefused
from query_service.queries.search_children import SearchChildren
from query_service.read_store.port import PageEnd, Period
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.read_model_builders import NOON, alert_document, conversation_document, violation

OfAList = GetAlerts | GetChildConversations | GetChildSafetyReport | SearchChildren
DAY = timedelta(days=1)


@pytest.fixture
async def families(side: QuerySide) -> QuerySide:
    """Two, each with two children that have two of everything."""
    for child_id, parent_id in (
        ("lena", "weiss"),
        ("leo", "weiss"),
        ("mia", "braun"),
        ("tom", "braun"),
    ):
        await side.child(child_id, parent_id=parent_id)
        side.report(child_id, *(violation(f"v{number}") for number in range(2)))
        for number in range(2):
            talk = conversation_document(child_id, f"c{number}")
            side.store.conversations[talk["_id"]] = talk
            alert = alert_document(f"{child_id}-{number}", child_id=child_id, parent_id=parent_id)
            side.store.alerts[alert["_id"]] = alert
    return side


@pytest.mark.parametrize(
    ("of", "of_another"),
    [
        (GetChildConversations("lena", 1), {"child_id": "leo"}),
        (GetChildSafetyReport("lena", None, None, 1), {"child_id": "leo"}),
        (GetChildSafetyReport("lena", None, None, 1), {"since": NOON - DAY}),
        (GetChildSafetyReport("lena", NOON - DAY, None, 1), {"since": NOON - 2 * DAY}),
        (GetChildSafetyReport("lena", None, NOON + DAY, 1), {"until": NOON + 2 * DAY}),
        (GetAlerts("weiss", 1), {"parent_id": "braun"}),
        (SearchChildren(limit=1), {"parent_id": "weiss"}),
        (SearchChildren(name="le", limit=1), {"name": "lena"}),
        (SearchChildren(age_min=2, limit=1), {"age_min": 3}),
        (SearchChildren(age_min=2, limit=1), {"age_min": None, "age_max": 12}),
    ],
)
async def test_a_cursor_of_what_another_was_asked_is_refused(
    families: QuerySide, of: OfAList, of_another: dict[str, Any]
) -> None:
    cursor = (await families.ask(of))["next_cursor"]
    assert cursor is not None
    with pytest.raises(RequestRefused, match="not a cursor of this list") as refused:
        await families.ask(replace(of, cursor=cursor, **of_another))
    assert refused.value.field == "cursor"
    assert await families.ask(replace(of, cursor=cursor, limit=50))


async def test_what_one_family_found_is_no_list_of_another(families: QuerySide) -> None:
    query = SearchChildren(limit=1)
    cursor = (await families.ask(query, parent("weiss")))["next_cursor"]
    for other in (parent("braun"), ADMIN):
        with pytest.raises(RequestRefused, match="not a cursor of this list"):
            await families.ask(replace(query, cursor=cursor), other)


def test_one_period_is_one_in_whatever_zone_it_was_told() -> None:
    cursors = Cursors(bytes(32), "violations")
    place = PageEnd(NOON, "lena/v 1")
    cursor = cursors.write(place, Period(NOON))
    told_in_delhi = NOON.astimezone(timezone(timedelta(hours=5.5)))
    assert cursors.read(cursor, Period(told_in_delhi)) == place
