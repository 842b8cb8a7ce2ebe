"""A process reports while it works, and works while it cannot report."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, cast

import pytest
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from shared.mongo import Database
from shared.process_reports.documents import Measured, ProcessKind, Run
from shared.process_reports.reporter import ProcessReporter, process_name
from tests.support.waiting import until

NOWHERE = cast(Database, None)


class Written:
    """What was written, and how writes fail meanwhile."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.seconds: list[float] = []
        self.ended: list[Run] = []
        self.measured: list[Measured] = []
        self.tries = 0
        self.fail: Callable[[], None] = lambda: None

    async def report(
        self, _database: Database, run: Run, seconds: float, measured: Measured
    ) -> None:
        self.tries += 1
        self.fail()
        self.runs.append(run)
        self.seconds.append(seconds)
        self.measured.append(measured)

    async def end(self, _database: Database, run: Run) -> None:
        self.fail()
        self.ended.append(run)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Instead of a store; reports follow one another at once."""
    written = Written()
    monkeypatch.setattr("shared.process_reports.reporter.note_report", written.report)
    monkeypatch.setattr("shared.process_reports.reporter.note_end", written.end)
    monkeypatch.setattr("shared.process_reports.reporter.EVERY_SECONDS", 0.0)
    return written


def reporter(measure: Callable[[], Any] = Measured) -> ProcessReporter:
    return ProcessReporter(NOWHERE, ProcessKind.WORKER, 8003, measure)


def test_a_process_has_the_same_name_after_a_restart_unless_it_takes_any_port():
    host = socket.gethostname()
    assert process_name(ProcessKind.WORKER, 8003) == f"worker@{host}:8003"
    assert process_name(ProcessKind.WORKER, 0) == f"worker@{host}:{os.getpid()}"


async def test_each_report_is_of_the_same_run_and_of_what_was_measured_just_then(written: Written):
    # given
    waiting = iter(range(1_000_000))
    # when
    async with reporter(lambda: Measured({"lag": next(waiting)})).running():
        await until(lambda: len(written.runs) >= 3)
    # then
    assert {run.id for run in written.runs} == {written.runs[0].id}
    assert [one.figures["lag"] for one in written.measured[:3]] == [0, 1, 2]
    assert written.seconds == sorted(written.seconds)
    assert written.ended == written.runs[:1]


async def test_a_process_that_starts_again_is_another_run(written: Written):
    for _ in range(2):
        await reporter().report()
    first, second = written.runs
    assert first.name == second.name
    assert first.id != second.id


async def test_a_store_that_refuses_is_logged_once_and_written_to_as_soon_as_it_takes_reports(
    written: Written,
):
    # given
    def refuse() -> None:
        raise AutoReconnect("away")

    written.fail = refuse
    with capture_logs() as logs:
        async with reporter().running():
            # when
            await until(lambda: written.tries >= 5)
            written.fail = lambda: None
            # then
            await until(lambda: bool(written.runs))
    assert [line["event"] for line in logs] == ["process_report_not_written"]


async def test_a_process_ends_though_nobody_takes_its_last_word(
    written: Written, monkeypatch: pytest.MonkeyPatch
):
    # given
    monkeypatch.setattr("shared.process_reports.reporter.note_end", hang)
    monkeypatch.setattr("shared.process_reports.reporter.LAST_WRITE_SECONDS", 0.01)
    # when
    async with reporter().running():
        await until(lambda: bool(written.runs))
    # then
    assert written.ended == []


async def test_a_process_that_ends_by_an_error_does_not_say_that_it_was_asked_to(
    written: Written,
):
    # given
    async def process() -> None:
        async with reporter().running():
            await until(lambda: bool(written.runs))
            raise KeyError

    # when
    with pytest.raises(KeyError):
        await process()
    # then
    assert written.ended == []


async def test_a_report_under_way_is_written_before_the_end(
    written: Written, monkeypatch: pytest.MonkeyPatch
):
    # given
    monkeypatch.setattr("shared.process_reports.reporter.LAST_WRITE_SECONDS", 10.0)
    under_way, store, stop = (asyncio.Event() for _ in range(3))
    order: list[str] = []

    async def slow(*_: object) -> None:
        under_way.set()
        await store.wait()
        order.append("report")

    async def end(*_: object) -> None:
        order.append("end")

    monkeypatch.setattr("shared.process_reports.reporter.note_report", slow)
    monkeypatch.setattr("shared.process_reports.reporter.note_end", end)

    async def process() -> None:
        async with reporter().running():
            await stop.wait()

    running = asyncio.create_task(process())
    await under_way.wait()
    # when the process is to end before the store has answered
    stop.set()
    store.set()
    await running
    # then
    assert order == ["report", "end"]


async def test_no_end_is_said_that_a_report_under_way_might_take_back(
    written: Written, monkeypatch: pytest.MonkeyPatch
):
    # given
    under_way = asyncio.Event()

    async def never_written(*_: object) -> None:
        under_way.set()
        await hang()

    monkeypatch.setattr("shared.process_reports.reporter.note_report", never_written)
    monkeypatch.setattr("shared.process_reports.reporter.LAST_WRITE_SECONDS", 0.01)
    # when
    async with reporter().running():
        await under_way.wait()
    # then
    assert written.ended == []


async def hang(*_: object) -> None:
    await asyncio.Event().wait()


async def test_what_cannot_be_measured_does_not_end_the_reports(written: Written):
    # given
    tries = iter(range(1_000_000))

    def measure() -> Measured:
        if next(tries) < 3:
            raise KeyError
        return Measured()

    # when
    async with reporter(measure).running():
        # then
        await until(lambda: bool(written.runs))
