"""Whether anything is stale, as operators see it."""

from datetime import timedelta
from typing import Any

import pytest

from query_service.queries.get_system_status import GetSystemStatus
from query_service.read_store.operations import DeadLetteredChild, Operations
from query_service.read_store.port import ReadStoreUnavailable
from shared.auth.access import Principal
from shared.process_reports.documents import ProcessReport
from shared.read_models.deliveries import OpenDeliveries
from shared.read_models.generations import Catalog, Generation, KeptGeneration
from tests.support.process_reports import report_of, reported
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent

LENA = "11111111-1111-4111-8111-111111111111"
LIVE, NEXT = Generation(1), Generation(2)
CATALOG = Catalog(LIVE, (KeptGeneration(LIVE, 7),))
WELL = Operations(CATALOG, workers={"worker-1": 7})


async def status_of(
    side: QuerySide, known: Operations, late_by: float | None = 1.0
) -> dict[str, Any]:
    side.store.known = known
    ago = None if late_by is None else side.now - timedelta(seconds=late_by)
    side.store.through = ago
    return dict(await side.ask(GetSystemStatus(), ADMIN))


def codes(status: dict[str, Any]) -> list[str]:
    return [one["code"] for one in status["findings"]]


async def test_a_system_that_is_well_has_no_findings(side: QuerySide):
    status = await status_of(side, WELL)
    assert status["findings"] == []
    assert status["lag_seconds"] == 1.0
    assert status["workers"] == [{"name": "worker-1", "projections": 7}]
    live = {"number": 1, "projections": 7, "live": True, "unfinished": False, "begun_at": None}
    assert status["generations"] == [live]


@pytest.mark.parametrize(
    ("late_by", "expected"),
    [(60.0, []), (61.0, ["read-models-late"]), (None, ["nothing-projected"])],
)
async def test_read_models_that_stand_still_are_found(
    side: QuerySide, late_by: float | None, expected: list[str]
):
    assert codes(await status_of(side, WELL, late_by)) == expected


@pytest.mark.parametrize("workers", [{}, {"worker-of-another-release": 8}])
async def test_without_a_worker_for_what_queries_read_nothing_is_projected(
    side: QuerySide, workers: dict[str, int]
):
    assert codes(await status_of(side, Operations(CATALOG, workers))) == ["no-worker"]


async def test_dead_lettered_children_are_named_and_on_record(side: QuerySide):
    # given
    child = DeadLetteredChild(LENA, side.now, "UndecodableEvent")
    known = Operations(CATALOG, {"w": 7}, dead_lettered=70, children=[child])
    # when
    side.store.known, side.store.through = known, side.now
    answer = await side.get("/v1/system/status", ADMIN)
    # then
    status = answer.json()
    assert codes(status) == ["children-dead-lettered"]
    assert status["dead_lettered_children"] == 70
    assert status["dead_lettered"][0]["child_id"] == LENA
    assert side.audit.entries[-1].children == (LENA,)


@pytest.mark.parametrize(
    ("state", "minutes", "expected"),
    [
        ("pending", 15, []),
        ("pending", 16, ["deliveries-waiting"]),
        ("failed", 0, ["deliveries-failed"]),
    ],
)
async def test_notifications_that_do_not_arrive_are_found(
    side: QuerySide, state: str, minutes: int, expected: list[str]
):
    some = OpenDeliveries(3, side.now - timedelta(minutes=minutes))
    known = Operations(CATALOG, {"w": 7}, deliveries={("email", state): some})
    status = await status_of(side, known)
    assert codes(status) == expected
    assert (status["deliveries"][0]["count"], status["deliveries"][0]["state"]) == (3, state)


async def test_a_rebuild_under_way_is_shown(side: QuerySide):
    rebuilt = KeptGeneration(NEXT, 8, was_live=False, begun_at=side.now)
    known = Operations(Catalog(LIVE, (*CATALOG.kept, rebuilt)), {"w": 7})
    status = await status_of(side, known)
    assert status["findings"] == []
    shown = status["generations"][1]
    assert (shown["unfinished"], shown["live"], shown["number"]) == (True, False, 2)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([report_of("relay@a:8002"), report_of("command@a:8001")], []),
        ([report_of("relay@a:8002", silent_seconds=30)], []),
        ([report_of("relay@a:8002", silent_seconds=31)], ["no-relay"]),
        ([report_of("relay@a:8002", silent_seconds=31, ended=True)], ["no-relay"]),
        ([report_of("relay@a:8002", silent_seconds=31), report_of("relay@b:8002")], []),
        ([report_of("command@a:8001", silent_seconds=7_200)], ["no-command-api"]),
        ([report_of("relay@a:8002", figures={"lag_seconds": 60.0})], []),
        ([report_of("relay@a:8002", figures={"lag_seconds": 61.0})], ["relay-late"]),
        ([report_of("worker@a:8003", silent_seconds=31)], []),
    ],
)
async def test_processes_that_were_heard_of_and_no_longer_are_or_that_lag_are_found(
    side: QuerySide, reports: list[ProcessReport], expected: list[str]
):
    side.reports.now = reported(*reports)
    assert codes(await status_of(side, WELL)) == expected


async def test_reports_that_cannot_be_read_are_no_finding(side: QuerySide):
    side.reports.now = reported(unread=("event store", "read models"))
    assert codes(await status_of(side, WELL)) == []


@pytest.mark.parametrize("other", [parent("weiss"), device("bear-1"), OFFICER, ANALYST])
async def test_it_is_for_admins(side: QuerySide, other: Principal):
    assert (await side.get("/v1/system/status", other)).status_code == 403


async def test_while_the_read_store_is_away_that_is_the_answer(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def away() -> Operations:
        raise ReadStoreUnavailable("hangs")

    monkeypatch.setattr(side.store, "operations", away)
    assert (await side.get("/v1/system/status", ADMIN)).status_code == 503
