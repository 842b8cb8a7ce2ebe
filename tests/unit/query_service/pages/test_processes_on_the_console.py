"""What each process does, on the operators' console."""

import re
from dataclasses import fields, replace
from datetime import timedelta

import httpx2
import pytest

from query_service.pages.texts_of_console import CONSOLE_ENGLISH
from query_service.pages.texts_of_processes import PROCESSES_IN_ENGLISH, PROCESSES_IN_GERMAN
from query_service.queries.get_system_processes import GetSystemProcessesHandler
from query_service.queries.query import Answer
from query_service.read_store.operations import Operations
from query_service.read_store.port import ReadStoreUnavailable
from shared.process_reports.documents import Sample
from shared.read_models.generations import Catalog, Generation, KeptGeneration
from tests.support.pages import PagesSide
from tests.support.process_reports import report_of, reported
from tests.support.query_side import ADMIN, QuerySide
from tests.support.read_model_builders import NOON

LIVE = Generation(1)
WELL = Operations(Catalog(LIVE, (KeptGeneration(LIVE, 7),)), workers={"worker-1": 7})
COMMAND = {"rate": 10.5, "p50_seconds": 0.005, "p99_seconds": 0.05}
RELAY = {"rate": 40.0, "lag": 14.0, "lag_seconds": 0.2, "leads": 1.0}
WORKER = {"rate": 39.0, "lag": 2.0, "lag_seconds": 0.5, "p50_seconds": 0.01, "p99_seconds": 0.1}


@pytest.fixture
def pages(side: QuerySide) -> PagesSide:
    side.store.known, side.store.through = WELL, side.now
    return PagesSide(side)


async def shown(pages: PagesSide, language: str = "en") -> httpx2.Response:
    async with pages.browser(**{"Accept-Language": language}) as browser:
        await pages.sign_in(browser, ADMIN)
        return await browser.get("/console")


def part_of(page: httpx2.Response, element: str) -> str:
    """The texts of a list item or a row, a line each."""
    found = re.search(rf'<(li|tr) id="{re.escape(element)}".*?</\1>', page.text, re.DOTALL)
    assert found is not None, element
    lines = re.sub(r"<[^>]*>", "\n", found[0]).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


async def test_numbers_stand_where_the_events_come_through(pages: PagesSide):
    # given two command processes, the slower of which counts, and a relay that stands by
    pages.side.reports.now = reported(
        report_of("command@a:8001", figures=COMMAND),
        report_of("command@b:8001", figures={**COMMAND, "rate": 2.0, "p99_seconds": 0.25}),
        report_of("relay@a:8002", figures=RELAY),
        report_of("relay@b:8002", figures={**RELAY, "rate": 0.0, "leads": 0.0}),
        report_of("worker@a:8003", figures=WORKER),
    )
    # when
    page = await shown(pages)
    # then
    assert page.status_code == 200
    assert "12.5 per second\nHalf within 5 ms, 99 % within 250 ms" in part_of(page, "flow-command")
    assert "40 per second\n14 waiting, 0.2 s behind" in part_of(page, "flow-relay")
    assert "39 per second\nHalf within 10 ms, 99 % within 100 ms" in part_of(page, "flow-worker")
    assert "2 waiting, 0.5 s behind" in part_of(page, "flow-worker")


async def test_each_process_has_a_row_with_its_starts_and_whether_it_is_silent(pages: PagesSide):
    # given
    pages.side.reports.now = reported(
        report_of("command@<b>:8001", figures=COMMAND, starts=7, history=2),
        report_of("relay@a:8002", figures=RELAY),
        report_of("worker@a:8003", silent_seconds=31),
        report_of("worker@b:8003", silent_seconds=31, ended=True),
    )
    # when
    page = await shown(pages)
    # then
    row = part_of(page, "process-command@&lt;b&gt;:8001").split("\n")
    assert row[0] == "command@&lt;b&gt;:8001"
    assert row[2:-1] == ["7", "10.5", "5 ms", "50 ms"]
    assert "leads" in part_of(page, "process-relay@a:8002")
    assert "Silent since" in part_of(page, "process-worker@a:8003")
    assert "ended" in part_of(page, "process-worker@b:8003")
    assert PROCESSES_IN_ENGLISH.answers in page.text
    assert PROCESSES_IN_ENGLISH.none_reports not in page.text


async def test_the_lag_of_each_partition_is_drawn_over_time_at_one_scale(pages: PagesSide):
    # given
    worker = report_of("worker@a:8003", partitions={0: 5, 1: 0})
    history = [
        Sample(NOON - timedelta(seconds=590), None, 10.0, {0: 10, 1: 0}),
        Sample(NOON, None, 5.0, {0: 5, 1: 0}),
    ]
    pages.side.reports.now = reported(replace(worker, history=history))
    # when
    page = await shown(pages)
    # then the first bar stands at the left, the last one at the right with half of its height
    assert 'd="M1 60V2h8V60ZM591 60V31h8V60Z"' in page.text
    assert part_of(page, "partition-0").split("\n") == ["0", "worker@a:8003", "5"]
    label = PROCESSES_IN_ENGLISH.lag_curve.format(0, 10)
    assert f'aria-label="{label}"' in page.text
    assert '<path class="bars" d=""/>' in page.text


async def test_a_partition_that_nobody_reads_is_said_to_be(pages: PagesSide):
    gone = report_of("worker@a:8003", silent_seconds=60, partitions={4: 9}, history=1)
    pages.side.reports.now = reported(gone)
    page = await shown(pages)
    assert PROCESSES_IN_ENGLISH.no_reader in part_of(page, "partition-4")


async def test_where_nothing_reports_the_console_says_so(pages: PagesSide):
    page = await shown(pages)
    assert PROCESSES_IN_ENGLISH.none_reports in page.text
    assert PROCESSES_IN_ENGLISH.no_partitions in page.text
    assert "per second" not in part_of(page, "flow-command")


async def test_a_database_that_cannot_be_read_is_named(pages: PagesSide):
    pages.side.reports.now = reported(unread=("event store",))
    page = await shown(pages)
    assert PROCESSES_IN_ENGLISH.unread.format("event store") in page.text


async def test_what_cannot_be_read_of_processes_takes_nothing_else_away(
    pages: PagesSide, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: object) -> Answer:
        raise ReadStoreUnavailable("hangs")

    monkeypatch.setattr(GetSystemProcessesHandler, "handle", away)
    page = await shown(pages)
    assert page.status_code == 200
    assert CONSOLE_ENGLISH.good in page.text
    assert PROCESSES_IN_ENGLISH.unknown in page.text


async def test_every_text_is_there_in_german(pages: PagesSide):
    pages.side.reports.now = reported(
        report_of("command@a:8001", figures=COMMAND, history=1),
        report_of("worker@a:8003", figures=WORKER, partitions={0: 1}, history=1),
    )
    page = (await shown(pages, language="de")).text
    assert PROCESSES_IN_GERMAN.title in page
    assert "10,5 pro Sekunde" in page
    same = {"starts", "partition", "worker"}
    for one in fields(PROCESSES_IN_ENGLISH):
        english = getattr(PROCESSES_IN_ENGLISH, one.name)
        if one.name not in same and "{" not in english:
            assert f">{english}<" not in page
