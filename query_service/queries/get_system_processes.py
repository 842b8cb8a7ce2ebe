"""GetSystemProcesses: since when each process runs, how much it does, and how far it is behind."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Scope
from query_service.read_store.process_reports import KnownReports, ProcessReports
from shared.clock import Clock
from shared.process_reports.documents import (
    SAMPLES,
    SILENT_SECONDS,
    Figure,
    ProcessKind,
    ProcessReport,
)

SHOWN_SECONDS = 3_600
HISTORY = "Of the last 10 minutes, 10 s apart, the oldest first."


@dataclass(frozen=True, slots=True)
class GetSystemProcesses(Query):
    pass


class ProcessSample(AnswerModel):
    at: Instant = Field(description="When it was measured.")
    rate: float | None = Field(description="As of the process.")
    lag: float | None = Field(description="As of the process.")


class ProcessStatus(AnswerModel):
    """What is null is not known, as all figures of a process that is silent or ended, or is no
    figure of this kind of process."""

    name: str = Field(description="Kind, host and port; the same after a restart.")
    kind: str = Field(description="command, relay, worker, or query: the process that answers.")
    started_at: Instant = Field(description="Since when it runs.")
    starts: int | None = Field(
        description="How often it was started; it is forgotten once it is silent for a day."
    )
    seen_at: Instant = Field(description="When it was heard of last.")
    silent: bool = Field(
        description=f"It was not heard of for {SILENT_SECONDS:g} s: nobody knows whether it runs."
    )
    ended: bool = Field(description="It ended in order, when it was heard of last.")
    leads: bool | None = Field(description="Of several relays the one that publishes.")
    rate: float | None = Field(
        description="Commands, or events, a second: handled, published or projected in the last "
        "minute."
    )
    lag: float | None = Field(
        description="Of a relay: events that it has not published; of a worker: records of its "
        "partitions that it has not projected."
    )
    lag_seconds: float | None = Field(description="For how long they have been waiting.")
    p50_seconds: float | None = Field(
        description="Half of the commands, or of the worker's batches, of the last minute took no "
        "longer. The bound of a histogram's bucket: rather too much than too little, but never "
        "more than 10 s."
    )
    p99_seconds: float | None = Field(description="99 of 100 took no longer.")
    history: list[ProcessSample] = Field(description=HISTORY)


class PartitionSample(AnswerModel):
    at: Instant = Field(description="When it was measured.")
    lag: int = Field(description="Records that waited.")


class PartitionStatus(AnswerModel):
    """A partition of the topic of events."""

    partition: int = Field(description="Its number.")
    worker: str | None = Field(description="The process that reads it; null: none was heard of.")
    lag: int | None = Field(description="Records that it has not projected.")
    history: list[PartitionSample] = Field(description=HISTORY)


class SystemProcesses(AnswerModel):
    processes: list[ProcessStatus] = Field(
        description="Those that run, those that ended or went silent within the last hour, and of "
        "a kind of which none runs all that are known. Query processes write nothing anywhere: of "
        "these only the one that answers is here."
    )
    partitions: list[PartitionStatus] = Field(description="As workers report them, in order.")
    unread: list[str] = Field(
        description="Databases that could not be read: reports of their processes are missing."
    )


@dataclass(frozen=True, slots=True)
class GetSystemProcessesHandler:
    """`name` and `started_at` are those of the process that answers."""

    reports: ProcessReports
    clock: Clock
    name: str
    started_at: datetime

    async def handle(self, _query: GetSystemProcesses, _scope: Scope) -> Answer:
        known = await self.reports.known()
        content = SystemProcesses(
            processes=[*map(_process, _shown(known)), self._itself()],
            partitions=_partitions(known.of(ProcessKind.WORKER)),
            unread=list(known.unread),
        )
        return Answer(content, ())

    def _itself(self) -> ProcessStatus:
        itself = ProcessReport(
            self.name, ProcessKind.QUERY, self.started_at, 0, self.clock(), silent_seconds=0
        )
        return _process(itself).model_copy(update={"starts": None})


def _shown(known: KnownReports) -> Iterable[ProcessReport]:
    running = {one.kind for one in known.reports if one.runs}
    for one in known.reports:
        if one.silent_seconds <= SHOWN_SECONDS or one.kind not in running:
            yield one


def _process(report: ProcessReport) -> ProcessStatus:
    # of what a process did that does not run any more, or may not, nothing is current
    figures = report.measured.figures if report.runs else {}
    leads = figures.get(Figure.LEADS)
    return ProcessStatus(
        name=report.name,
        kind=report.kind,
        started_at=report.started_at,
        starts=report.starts,
        seen_at=report.seen_at,
        silent=report.is_silent,
        ended=report.ended,
        leads=None if leads is None else bool(leads),
        rate=figures.get(Figure.RATE),
        lag=figures.get(Figure.LAG),
        lag_seconds=figures.get(Figure.LAG_SECONDS),
        p50_seconds=figures.get(Figure.P50),
        p99_seconds=figures.get(Figure.P99),
        history=[ProcessSample(at=one.at, rate=one.rate, lag=one.lag) for one in report.history],
    )


def _partitions(workers: Sequence[ProcessReport]) -> list[PartitionStatus]:
    """Partitions move from worker to worker: the history of each is from all that had it."""
    histories: dict[int, list[PartitionSample]] = defaultdict(list)
    for worker in workers:
        for sample in worker.history:
            for partition, lag in sample.partitions.items():
                histories[partition].append(PartitionSample(at=sample.at, lag=lag))
    readers = {
        partition: (worker.name, lag)
        for worker in sorted(workers, key=lambda one: one.seen_at)
        if worker.runs
        for partition, lag in worker.measured.partitions.items()
    }
    return [
        PartitionStatus(
            partition=partition,
            worker=readers.get(partition, (None, None))[0],
            lag=readers.get(partition, (None, None))[1],
            history=sorted(histories[partition], key=lambda one: one.at)[-SAMPLES:],
        )
        for partition in sorted(histories.keys() | readers.keys())
    ]
