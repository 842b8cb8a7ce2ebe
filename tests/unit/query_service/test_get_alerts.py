from datetime import timedelta

import pytest

from query_service.queries.get_alerts import GetAlerts
from query_service.queries.query import RequestRefused
from query_service.queries.search_children import SearchChildren
from tests.support.query_side import QuerySide, parent
from tests.support.read_model_builders import NOON, alert_document

WEISS = parent("weiss")


def keep(side: QuerySide, alert_id: str, **fields: object) -> None:
    side.store.alerts[alert_id] = alert_document(alert_id, **{"parent_id": "weiss"} | fields)


async def test_a_parent_reads_what_they_were_alerted_to(side: QuerySide) -> None:
    # given
    read = {"delivered": {"in_app": NOON}, "acknowledged_at": NOON + timedelta(minutes=2)}
    keep(side, "a1", rule="count", severity="medium", **read)
    keep(side, "b1", parent_id="braun")
    # when
    answer = await side.ask(GetAlerts("weiss"), WEISS)
    # then
    assert answer == {
        "items": [
            {
                "alert_id": "a1",
                "child_id": "child-1",
                "rule": "count",
                "violation_id": "violation-1",
                "violation_type": "bullying",
                "severity": "medium",
                "channels": ["in_app"],
                "raised_at": "2026-11-23T12:00:00.000Z",
                "acknowledged_at": "2026-11-23T12:02:00.000Z",
                "delivered": {"in_app": "2026-11-23T12:00:00.000Z"},
            }
        ],
        "next_cursor": None,
    }


async def test_an_alert_is_unread_until_it_is_acknowledged(side: QuerySide) -> None:
    # given one of today, and one of read models before there were acknowledgements
    keep(side, "a1")
    keep(side, "a0", raised_at=NOON - timedelta(days=1))
    del side.store.alerts["a0"]["acknowledged_at"]
    answer = await side.ask(GetAlerts("weiss"), WEISS)
    assert [item["acknowledged_at"] for item in answer["items"]] == [None, None]


async def test_alerts_come_in_pages_the_newest_first(side: QuerySide) -> None:
    # given
    for number in range(5):
        keep(side, f"a{number}", raised_at=NOON + timedelta(hours=number // 2))
    # when
    first = await side.ask(GetAlerts("weiss", limit=3), WEISS)
    second = await side.ask(GetAlerts("weiss", limit=3, cursor=first["next_cursor"]), WEISS)
    # then
    assert [item["alert_id"] for item in first["items"]] == ["a4", "a2", "a3"]
    assert [item["alert_id"] for item in second["items"]] == ["a0", "a1"]
    assert second["next_cursor"] is None


async def test_alerts_are_never_cached(side: QuerySide) -> None:
    await side.ask(GetAlerts("weiss"), WEISS)
    keep(side, "a1")
    assert len((await side.ask(GetAlerts("weiss"), WEISS))["items"]) == 1


async def test_a_cursor_of_another_list_is_refused(side: QuerySide) -> None:
    # given a cursor of the search
    await side.child("lena")
    await side.child("leo")
    page = await side.ask(SearchChildren(limit=1))
    with pytest.raises(RequestRefused):
        await side.ask(GetAlerts("weiss", cursor=page["next_cursor"]), WEISS)
