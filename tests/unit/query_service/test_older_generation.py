"""Violations while the live generation is of projections before 7."""

from datetime import timedelta

from query_service.queries.get_child_safety_report import GetChildSafetyReport
from query_service.read_store.violations import listed_in
from tests.support.query_side import QuerySide
from tests.support.read_model_builders import NOON, safety_document, sealed, violation

DAY = timedelta(days=1)


async def test_they_are_read_from_the_list_with_their_details_open(side: QuerySide) -> None:
    # given a generation of which today's projections wrote nothing
    await side.child("lena")
    side.store.projections = 6
    details = sealed(await side.keyring.create("lena"), "lena", "details", "rude", 2, of="v1")
    side.store.safety_documents["lena"] = safety_document(
        "lena",
        violation("v1", details=details, severity="high", alerted=None),
        violation("v2", at=NOON + DAY),
        violations_by_category={"bullying": 2},
    )
    # when
    report = await side.ask(GetChildSafetyReport("lena", limit=1))
    rest = await side.ask(GetChildSafetyReport("lena", limit=1, cursor=report["next_cursor"]))
    # then
    assert [one["violation_id"] for one in report["violations"]] == ["v2"]
    assert [one["details"] for one in rest["violations"]] == ["rude"]
    assert rest["next_cursor"] is None
    assert report["total_violations"] == 2
    codes = [advice["code"] for advice in report["recommendations"]]
    assert codes == ["enable-immediate-notifications"]


def test_what_the_oldest_projections_did_not_keep_or_write_asks_for_nothing() -> None:
    # given an entry of projections before 4
    entry = violation("v1", severity="critical")
    del entry["alerted"]
    del entry["acknowledged_at"]
    (document,) = listed_in(safety_document("lena", entry))
    assert (document["alerted"], document["acknowledged_at"]) == ("threshold", None)
    assert document["_id"] == "lena/v1"
    assert listed_in(None) == []
