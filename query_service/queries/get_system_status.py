"""GetSystemStatus: whether what queries show is up to date, and what stands in the way."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Scope
from query_service.read_store.operations import Operations
from query_service.read_store.port import ReadModelDatabase
from query_service.read_store.process_reports import KnownReports, ProcessReports
from shared.clock import Clock
from shared.events.child import AlertChannel
from shared.process_reports.documents import SILENT_SECONDS, Figure, ProcessKind
from shared.read_models.deliveries import DeliveryState

LATE = timedelta(seconds=60)
WAITING = timedelta(minutes=15)
"""The same limits as those of the recommended alerts (docs/monitoring.md)."""


class FindingCode(StrEnum):
    NOTHING_PROJECTED = "nothing-projected"
    READ_MODELS_LATE = "read-models-late"
    NO_COMMAND_API = "no-command-api"
    NO_RELAY = "no-relay"
    RELAY_LATE = "relay-late"
    NO_WORKER = "no-worker"
    CHILDREN_DEAD_LETTERED = "children-dead-lettered"
    DELIVERIES_FAILED = "deliveries-failed"
    DELIVERIES_WAITING = "deliveries-waiting"


@dataclass(frozen=True, slots=True)
class GetSystemStatus(Query):
    pass


class Finding(AnswerModel):
    code: FindingCode = Field(description="What is wrong.")
    text: str = Field(description="What it means, in English.")


class GenerationStatus(AnswerModel):
    """One set of read models."""

    number: int = Field(description="Counts up with each rebuild.")
    projections: int = Field(description="Version of the code that folds it.")
    live: bool = Field(description="Queries read it.")
    unfinished: bool = Field(description="A rebuild fills it, or did when it ended.")
    begun_at: Instant | None = Field(description="When its rebuild began; null: by no rebuild.")


class WorkerStatus(AnswerModel):
    name: str = Field(description="Of a worker that was heard of in the last 10 seconds.")
    projections: int = Field(description="Version of its projections.")


class DeadLettered(AnswerModel):
    child_id: str
    since: Instant = Field(description="Its read models show nothing newer.")
    reason: str = Field(description="Why its first record could not be projected.")


class OpenDeliveriesStatus(AnswerModel):
    channel: AlertChannel = Field(description="The way of notifying.")
    state: DeliveryState = Field(description="Pending ones are tried again.")
    count: int = Field(description="How many notifications.")
    oldest: Instant = Field(description="Since when the oldest is.")


class SystemStatus(AnswerModel):
    """`findings` is empty while nothing is wrong as far as the read store knows."""

    findings: list[Finding] = Field(
        description="The worst first; empty: nothing is known to be wrong."
    )
    projected_through: Instant | None = Field(
        description="All that was stored until then is shown; null: no worker has said so yet."
    )
    lag_seconds: float | None = Field(description="How long ago that was.")
    workers: list[WorkerStatus] = Field(description="Those that run.")
    generations: list[GenerationStatus] = Field(description="All that are kept.")
    dead_lettered_children: int = Field(description="How many children cannot be projected.")
    dead_lettered: list[DeadLettered] = Field(description="The first 50 of them.")
    deliveries: list[OpenDeliveriesStatus] = Field(
        description="Notifications that are pending or failed; those delivered are not counted."
    )


@dataclass(frozen=True, slots=True)
class GetSystemStatusHandler:
    store: ReadModelDatabase
    reports: ProcessReports
    clock: Clock

    async def handle(self, _query: GetSystemStatus, _scope: Scope) -> Answer:
        known, reports = await asyncio.gather(self.store.operations(), self.reports.known())
        through, now = await self.store.projected_through(), self.clock()
        content = SystemStatus(
            findings=[*_about_processes(reports), *_findings(known, through, now)],
            projected_through=through,
            lag_seconds=None if through is None else max(0.0, (now - through).total_seconds()),
            workers=[
                WorkerStatus(name=name, projections=version)
                for name, version in sorted(known.workers.items())
            ],
            generations=_generations(known),
            dead_lettered_children=known.dead_lettered,
            dead_lettered=[
                DeadLettered(child_id=one.child_id, since=one.since, reason=one.reason)
                for one in known.children
            ],
            deliveries=_deliveries(known),
        )
        return Answer(content, tuple(one.child_id for one in known.children))


def _about_processes(known: KnownReports) -> Iterable[Finding]:
    """Of a kind that never reported, nothing: it is of an older release, or cannot be read."""
    kinds = (
        (ProcessKind.COMMAND, FindingCode.NO_COMMAND_API, "command API", "no command is taken"),
        (ProcessKind.RELAY, FindingCode.NO_RELAY, "relay", "no worker learns of anything new"),
    )
    for kind, code, name, effect in kinds:
        silent = min((one.silent_seconds for one in known.of(kind)), default=0.0)
        if silent > SILENT_SECONDS:
            text = f"No {name} was heard of for {silent:.0f} s: {effect}."
            yield Finding(code=code, text=text)
    behind = [
        one.measured.figures.get(Figure.LAG_SECONDS, 0.0)
        for one in known.of(ProcessKind.RELAY)
        if one.runs
    ]
    if min(behind, default=0.0) > LATE.total_seconds():
        text = f"The relay is {min(behind):.0f} s behind the event store."
        yield Finding(code=FindingCode.RELAY_LATE, text=text)


def _findings(known: Operations, through: datetime | None, now: datetime) -> Iterable[Finding]:
    """The worst first."""
    live = known.catalog.of(known.catalog.live)
    if live.projections not in known.workers.values():
        text = f"No worker with projections {live.projections} runs: nothing is projected."
        yield Finding(code=FindingCode.NO_WORKER, text=text)
    if through is None:
        text = "No worker has projected anything yet."
        yield Finding(code=FindingCode.NOTHING_PROJECTED, text=text)
    elif now - through > LATE:
        text = f"Read models are {(now - through).total_seconds():.0f} s behind the event store."
        yield Finding(code=FindingCode.READ_MODELS_LATE, text=text)
    if known.dead_lettered:
        text = f"{known.dead_lettered} children are dead-lettered: nothing new of them is shown."
        yield Finding(code=FindingCode.CHILDREN_DEAD_LETTERED, text=text)
    yield from _about_deliveries(known, now)


def _about_deliveries(known: Operations, now: datetime) -> Iterable[Finding]:
    for (channel, state), some in sorted(known.deliveries.items()):
        if state == DeliveryState.FAILED:
            text = f"{some.count} notifications by {channel} failed: their parents know nothing."
            yield Finding(code=FindingCode.DELIVERIES_FAILED, text=text)
        elif now - some.oldest > WAITING:
            minutes = (now - some.oldest).total_seconds() / 60
            text = f"{some.count} notifications by {channel} wait, the oldest for {minutes:.0f} min"
            yield Finding(code=FindingCode.DELIVERIES_WAITING, text=f"{text}.")


def _generations(known: Operations) -> list[GenerationStatus]:
    return [
        GenerationStatus(
            number=one.generation.number,
            projections=one.projections,
            live=one.generation == known.catalog.live,
            unfinished=not one.was_live,
            begun_at=one.begun_at,
        )
        for one in known.catalog.kept
    ]


def _deliveries(known: Operations) -> list[OpenDeliveriesStatus]:
    return [
        OpenDeliveriesStatus(
            channel=AlertChannel(channel),
            state=DeliveryState(state),
            count=some.count,
            oldest=some.oldest,
        )
        for (channel, state), some in sorted(known.deliveries.items())
    ]
