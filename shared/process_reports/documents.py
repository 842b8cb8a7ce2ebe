"""One document for each process, in `process_reports` beside the event store (command API, relay)
or beside the read models (worker): `{_id: "worker@host:8003", kind, run, started_at, starts,
seen_at, ended, figures: {rate: 3.2}, partitions: {"0": 12}, history: [{at, rate, lag,
partitions}]}`.

A process that starts again finds its document by its name and counts up `starts`. All times are the
server's. Nothing here is personal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.mongo import Database, Document, aggregate

COLLECTION = "process_reports"
EVERY_SECONDS = 5.0
SILENT_SECONDS = 30.0
"""Of a process that was not heard of for longer, nobody knows whether it runs."""

SAMPLES, SAMPLE_SECONDS = 60, 10
HISTORY_SECONDS = SAMPLES * SAMPLE_SECONDS
FORGOTTEN_SECONDS = 24 * 3_600
MOST_REPORTS = 200


class ProcessKind(StrEnum):
    COMMAND = "command"
    RELAY = "relay"
    WORKER = "worker"
    QUERY = "query"
    """Reports nothing: the query side writes nowhere."""


class Figure(StrEnum):
    """Names of figures. RATE: commands, or events, a second. LAG: events or records that wait, and
    LAG_SECONDS for how long. P50, P99: no more than so many seconds took half, and 99 of 100, of
    the commands or batches. LEADS: 1 for the relay that publishes, else 0."""

    RATE = "rate"
    LAG = "lag"
    LAG_SECONDS = "lag_seconds"
    P50 = "p50_seconds"
    P99 = "p99_seconds"
    LEADS = "leads"


@dataclass(frozen=True, slots=True)
class Measured:
    """`figures` by their names; one that is not known is left out. `partitions`: records that wait
    on each of the topic's partitions that the process reads."""

    figures: Mapping[str, float] = field(default_factory=dict)
    partitions: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One life of a process; `id` is its own alone."""

    name: str
    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime
    rate: float | None
    lag: float | None
    partitions: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """`starts`: None where it is not known. `silent_seconds`: how long ago it was heard of.
    `ended`: it ended in order, and said so. `history`: of the last HISTORY_SECONDS, the oldest
    first."""

    name: str
    kind: str
    started_at: datetime
    starts: int | None
    seen_at: datetime
    silent_seconds: float
    measured: Measured = field(default_factory=Measured)
    history: Sequence[Sample] = ()
    ended: bool = False

    @property
    def is_silent(self) -> bool:
        """Nobody knows whether it runs."""
        return self.silent_seconds > SILENT_SECONDS and not self.ended

    @property
    def runs(self) -> bool:
        return not (self.ended or self.is_silent)


async def note_report(database: Database, run: Run, seconds: float, measured: Measured) -> None:
    """The process runs, for so many seconds by now. Also forgets others of its kind that were not
    heard of for a day: the last one of a kind stays, so that it is missed. Raises PyMongoError."""
    reports = database[COLLECTION]
    is_same_run = {"$eq": ["$run", run.id]}
    starts_before = {"$ifNull": ["$starts", 0]}
    began = _ago(milliseconds=round(seconds * 1_000))
    content = {
        "kind": run.kind,
        "run": run.id,
        "started_at": {"$cond": [is_same_run, "$started_at", began]},
        "starts": {"$cond": [is_same_run, "$starts", {"$add": [starts_before, 1]}]},
        "seen_at": "$$NOW",
        "ended": False,
        # as literals they replace what was there; else they would be merged into it
        "figures": {"$literal": {str(one): value for one, value in measured.figures.items()}},
        "partitions": {"$literal": _stored(measured.partitions)},
        "history": _with_sample(measured),
    }
    await reports.update_one({"_id": run.name}, [{"$set": content}], upsert=True)
    gone = {"$lt": ["$seen_at", _ago(milliseconds=FORGOTTEN_SECONDS * 1_000)]}
    await reports.delete_many({"kind": run.kind, "$expr": gone})


async def note_end(database: Database, run: Run) -> None:
    """The process ends in order. Nothing where it was started again meanwhile. Raises
    PyMongoError."""
    of_run = {"_id": run.name, "run": run.id}
    ended = {"ended": True, "seen_at": "$$NOW"}
    await database[COLLECTION].update_one(of_run, [{"$set": ended}])


def _with_sample(measured: Measured) -> Document:
    """The history, with one more sample where the last one is old enough: however often a process
    reports or starts, samples are SAMPLE_SECONDS apart."""
    kept = {"$ifNull": ["$history", []]}
    sample = {
        "at": "$$NOW",
        "rate": measured.figures.get(Figure.RATE),
        "lag": measured.figures.get(Figure.LAG),
        "partitions": {"$literal": _stored(measured.partitions)},
    }
    milliseconds = round(SAMPLE_SECONDS * 1_000 - EVERY_SECONDS * 1_000 / 2)
    is_due = {"$lt": [{"$last": "$history.at"}, _ago(milliseconds=milliseconds)]}
    longer = {"$slice": [{"$concatArrays": [kept, [sample]]}, -SAMPLES]}
    return {"$cond": [is_due, longer, kept]}


def _ago(*, milliseconds: int) -> Document:
    before = {"startDate": "$$NOW", "unit": "millisecond", "amount": milliseconds}
    return {"$dateSubtract": before}


def _stored(partitions: Mapping[int, int]) -> Document:
    return {str(partition): waiting for partition, waiting in sorted(partitions.items())}


async def read_reports(database: Database) -> list[ProcessReport]:
    """Those that are known, the last heard of first, at most MOST_REPORTS; of another release's
    what can be read. Raises PyMongoError."""
    is_recent = {"$gte": ["$$this.at", _ago(milliseconds=HISTORY_SECONDS * 1_000)]}
    recent = {"$filter": {"input": "$history", "cond": is_recent}}
    shown = {
        "silent_ms": {"$subtract": ["$$NOW", "$seen_at"]},
        "history": {"$cond": [{"$isArray": "$history"}, recent, []]},
    }
    stages: list[Document] = [
        {"$match": {"seen_at": {"$type": "date"}}},
        {"$sort": {"seen_at": -1}},
        {"$limit": MOST_REPORTS},
        {"$set": shown},
    ]
    found = [_report(document) async for document in aggregate(database[COLLECTION], stages)]
    return [report for report in found if report is not None]


def _report(document: Document) -> ProcessReport | None:
    """None where it does not say which process it is of, and since when."""
    name, kind, started_at = (document.get(field) for field in ("_id", "kind", "started_at"))
    if not (isinstance(name, str) and isinstance(kind, str) and isinstance(started_at, datetime)):
        return None
    starts = document.get("starts")
    return ProcessReport(
        name,
        kind,
        started_at,
        starts if isinstance(starts, int) else None,
        document["seen_at"],
        document["silent_ms"] / 1_000,
        Measured(_numbers(document.get("figures")), _partitions(document.get("partitions"))),
        [sample for sample in map(_sample, document["history"]) if sample is not None],
        document.get("ended") is True,
    )


def _sample(stored: object) -> Sample | None:
    if not isinstance(stored, Mapping) or not isinstance(stored.get("at"), datetime):
        return None
    rate, lag = _number(stored.get("rate")), _number(stored.get("lag"))
    return Sample(stored["at"], rate, lag, _partitions(stored.get("partitions")))


def _number(stored: object) -> float | None:
    return stored if isinstance(stored, int | float) else None


def _numbers(stored: object) -> dict[str, float]:
    pairs = stored.items() if isinstance(stored, Mapping) else ()
    return {name: value for name, value in pairs if isinstance(value, int | float)}


def _partitions(stored: object) -> dict[int, int]:
    return {int(name): int(value) for name, value in _numbers(stored).items() if name.isdecimal()}
