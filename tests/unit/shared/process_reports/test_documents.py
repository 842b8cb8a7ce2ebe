"""Reports that an older or a newer release wrote: what can be read of them is shown."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from query_service.read_store.process_reports import MongoProcessReports
from shared.mongo import Database
from shared.process_reports.documents import COLLECTION, Measured, ProcessReport, read_reports
from tests.support.read_model_builders import NOON

SAMPLE = {"at": NOON, "rate": 3.5, "lag": 7.0, "partitions": {"0": 7}}
DOCUMENT: Mapping[str, Any] = {
    "_id": "worker@host:8003",
    "kind": "worker",
    "run": "run-1",
    "started_at": NOON,
    "starts": 2,
    "seen_at": NOON,
    "silent_ms": 1_000,
    "ended": False,
    "figures": {"rate": 3.5},
    "partitions": {"0": 7},
    "history": [SAMPLE],
}


class Stored:
    """A collection as the server hands it out: ages and arrays are computed."""

    def __init__(self, *documents: object) -> None:
        self._documents = documents

    async def aggregate(self, _stages: Sequence[object]) -> AsyncIterator[object]:
        for document in self._documents:
            yield document


def database_of(*documents: object) -> Database:
    return cast(Database, {COLLECTION: Stored(*documents)})


async def only(document: object) -> ProcessReport:
    (report,) = await read_reports(database_of(document))
    return report


@pytest.mark.parametrize("field", ["run", "starts", "ended", "figures", "partitions"])
@pytest.mark.parametrize("other", [None, "other", ["other"]])
async def test_what_cannot_be_read_of_a_report_is_left_out(field: str, other: object):
    without = {key: value for key, value in DOCUMENT.items() if key != field}
    for document in (without, {**DOCUMENT, field: other}):
        report = await only(document)
        assert (report.name, report.started_at) == ("worker@host:8003", NOON)
        assert len(report.history) == 1
        assert report.runs


async def test_a_figure_partition_or_sample_of_another_shape_takes_no_other_with_it():
    # when
    report = await only(
        {
            **DOCUMENT,
            "figures": {"rate": 3.5, "lag": {"events": 7}, "of_a_newer_release": 1.0},
            "partitions": {"0": 7, "events-1": 7, "2": None},
            "history": [{"rate": 1.0}, "other", None, {"at": NOON, "rate": "fast"}, SAMPLE],
        }
    )
    # then
    assert report.measured == Measured({"rate": 3.5, "of_a_newer_release": 1.0}, {0: 7})
    assert [(one.rate, one.lag, dict(one.partitions)) for one in report.history] == [
        (None, None, {}),
        (3.5, 7.0, {0: 7}),
    ]


@pytest.mark.parametrize("field", ["_id", "kind", "started_at"])
async def test_a_document_that_names_no_process_is_skipped_and_the_others_are_read(field: str):
    reports = await read_reports(database_of({**DOCUMENT, field: None}, DOCUMENT))
    assert [one.name for one in reports] == ["worker@host:8003"]


async def test_a_database_whose_reports_nobody_can_read_is_named_and_the_other_is_read():
    # given
    databases = {"event store": database_of("no document"), "read models": database_of(DOCUMENT)}
    # when
    with capture_logs() as logs:
        known = await MongoProcessReports(databases, lambda: 0.0).known()
    # then
    assert [one.name for one in known.reports] == ["worker@host:8003"]
    assert known.unread == ["event store"]
    assert [(line["event"], line["error"]) for line in logs] == [
        ("process_reports_unreadable", "AttributeError")
    ]
