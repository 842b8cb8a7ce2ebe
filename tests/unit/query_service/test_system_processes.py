"""What processes do and how far they are behind, as operators see it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.auth.access import Principal
from shared.clock import iso
from shared.process_reports.documents import SILENT_SECONDS, Sample
from tests.support.process_reports import report_of, reported
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent
from tests.support.read_model_builders import NOON

PATH = "/v1/system/processes"


async def processes_of(side: QuerySide) -> dict[str, dict[str, Any]]:
    answer = await side.get(PATH, ADMIN)
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["processes"]}


async def test_each_process_tells_its_starts_its_rate_its_lag_and_how_long_things_take(
    side: QuerySide,
):
    # given
    figures = {"rate": 12.5, "p50_seconds": 0.005, "p99_seconds": 0.05}
    side.reports.now = reported(report_of("command@a:8001", starts=3, figures=figures, history=1))
    # when
    shown = (await processes_of(side))["command@a:8001"]
    # then
    assert shown == {
        "name": "command@a:8001",
        "kind": "command",
        "started_at": iso(NOON - timedelta(hours=1)),
        "starts": 3,
        "seen_at": iso(NOON - timedelta(seconds=1)),
        "silent": False,
        "ended": False,
        "leads": None,
        "rate": 12.5,
        "lag": None,
        "lag_seconds": None,
        "p50_seconds": 0.005,
        "p99_seconds": 0.05,
        "history": [{"at": iso(NOON), "rate": 12.5, "lag": None}],
    }


async def test_of_relays_it_is_said_which_one_leads(side: QuerySide):
    side.reports.now = reported(
        report_of("relay@a:8002", figures={"leads": 1.0, "lag": 4.0, "lag_seconds": 0.5}),
        report_of("relay@b:8002", figures={"leads": 0.0}),
    )
    shown = await processes_of(side)
    assert [shown[f"relay@{host}:8002"]["leads"] for host in "ab"] == [True, False]
    assert (shown["relay@a:8002"]["lag"], shown["relay@a:8002"]["lag_seconds"]) == (4.0, 0.5)


async def test_the_process_that_answers_is_the_only_one_where_none_reports(side: QuerySide):
    shown = list((await processes_of(side)).values())
    assert [(one["kind"], one["starts"], one["silent"]) for one in shown] == [
        ("query", None, False)
    ]
    assert shown[0]["started_at"] == iso(side.now)


async def test_who_is_silent_is_shown_for_an_hour_and_the_last_of_a_kind_for_longer(
    side: QuerySide,
):
    side.reports.now = reported(
        report_of("command@heard:1", silent_seconds=SILENT_SECONDS),
        report_of("command@silent:1", silent_seconds=SILENT_SECONDS + 1),
        report_of("command@gone:1", silent_seconds=3_601),
        report_of("relay@gone:1", silent_seconds=3_601),
    )
    shown = await processes_of(side)
    silent = {name: one["silent"] for name, one in shown.items() if one["kind"] != "query"}
    assert silent == {"command@heard:1": False, "command@silent:1": True, "relay@gone:1": True}


async def test_who_ended_in_order_is_not_silent_and_not_what_runs_of_its_kind(side: QuerySide):
    side.reports.now = reported(
        report_of("relay@ended:1", silent_seconds=100, ended=True, partitions={0: 1}),
        report_of("relay@gone:1", silent_seconds=7_200),
    )
    shown = await processes_of(side)
    assert (shown["relay@ended:1"]["ended"], shown["relay@ended:1"]["silent"]) == (True, False)
    assert shown["relay@gone:1"]["silent"]


async def test_a_partition_keeps_its_history_when_it_moves_to_another_worker(side: QuerySide):
    # given
    earlier = [Sample(NOON - timedelta(seconds=50), None, 9.0, {0: 9, 1: 0})]
    before = replace(report_of("worker@a:8003", silent_seconds=40), history=earlier)
    after = report_of("worker@b:8003", partitions={0: 2}, history=1)
    side.reports.now = reported(before, after)
    # when
    partitions = (await side.get(PATH, ADMIN)).json()["partitions"]
    # then
    assert partitions == [
        {
            "partition": 0,
            "worker": "worker@b:8003",
            "lag": 2,
            "history": [
                {"at": iso(NOON - timedelta(seconds=50)), "lag": 9},
                {"at": iso(NOON), "lag": 2},
            ],
        },
        {
            "partition": 1,
            "worker": None,
            "lag": None,
            "history": [{"at": iso(NOON - timedelta(seconds=50)), "lag": 0}],
        },
    ]


async def test_a_database_that_cannot_be_read_is_named(side: QuerySide):
    side.reports.now = reported(unread=("event store",))
    assert (await side.get(PATH, ADMIN)).json()["unread"] == ["event store"]


@pytest.mark.parametrize("other", [parent("weiss"), device("bear-1"), OFFICER, ANALYST], ids=str)
async def test_it_is_for_admins(side: QuerySide, other: Principal):
    assert (await side.get(PATH, other)).status_code == 403
