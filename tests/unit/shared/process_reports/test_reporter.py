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
from shared.tasks import in_background
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
    async with in_background(reporter(lambda: Measured({"lag": next(waiting)})).run()):
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
        async with in_background(reporter().run()):
            # when
            await until(lambda: written.tries >= 5)
            written.fail = lambda: None
            # then
            await until(lambda: bool(written.runs))
    assert [line["event"] for line in logs] == ["process_report_not_written"]


async def test_a_process_ends_though_nobody_takes_its_last_word(written: Written):
    # given
    running = asyncio.create_task(reporter().run())
    await until(lambda: bool(written.runs))

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.process_reports.reporter.note_end", hang)
        patch.setattr("shared.process_reports.reporter.LAST_WRITE_SECONDS", 0.01)
        # when
        running.cancel()
        # then
        await asyncio.wait({running})
    assert running.cancelled()


async def test_what_cannot_be_measured_does_not_end_the_reports(written: Written):
    # given
    tries = iter(range(1_000_000))

    def measure() -> Measured:
        if next(tries) < 3:
            raise KeyError
        return Measured()

    # when
    async with in_background(reporter(measure).run()):
        # then
        await until(lambda: bool(written.runs))
