"""What processes say of themselves, for tests that only name what matters to them."""

from collections.abc import Mapping
from datetime import timedelta

from query_service.read_store.process_reports import KnownReports
from shared.process_reports.documents import Figure, Measured, ProcessReport, Sample
from tests.support.read_model_builders import NOON


def report_of(
    name: str,
    *,
    silent_seconds: float = 1.0,
    starts: int = 1,
    figures: Mapping[str, float] | None = None,
    partitions: Mapping[int, int] | None = None,
    history: int = 0,
    ended: bool = False,
) -> ProcessReport:
    """At noon. `history`: how many samples there are, each of these figures."""
    measured = Measured(figures or {}, partitions or {})
    rate, lag = measured.figures.get(Figure.RATE), measured.figures.get(Figure.LAG)
    moments = (NOON - timedelta(seconds=10 * ago) for ago in range(history - 1, -1, -1))
    return ProcessReport(
        name,
        name.partition("@")[0],
        NOON - timedelta(hours=1),
        starts,
        NOON - timedelta(seconds=silent_seconds),
        silent_seconds,
        measured,
        [Sample(at, rate, lag, measured.partitions) for at in moments],
        ended,
    )


def reported(*reports: ProcessReport, unread: tuple[str, ...] = ()) -> KnownReports:
    return KnownReports(reports, unread)
