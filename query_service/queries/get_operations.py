"""GetOperations: what administrators asked the workers to do, and how far it is."""

from dataclasses import asdict, dataclass

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import Scope
from query_service.read_store.port import ReadModelDatabase

MOST = 20


@dataclass(frozen=True, slots=True)
class GetOperations(Query):
    pass


class OperationStatus(AnswerModel):
    operation_id: str = Field(description="As the command API answered when it was asked for.")
    kind: str = Field(
        description="rebuild, redrive-children, redrive-notifications or clear-caches; of a worker "
        "of a newer release, as that calls it."
    )
    requested_by: str = Field(description="The subject of the administrator.")
    requested_at: Instant = Field(description="When it was asked for.")
    state: str = Field(
        description="requested (no worker has begun it yet), running, done or failed; of a worker "
        "of a newer release, as that calls it.",
        examples=["running"],
    )
    started_at: Instant | None = Field(description="When a worker first began it; null: not yet.")
    ended_at: Instant | None = Field(description="When it was done or failed; null: it goes on.")
    done: int | None = Field(
        description="Of a rebuild: events, each folded once and verified once; of a redrive: "
        "children, or notifications. Null: nothing yet, or nothing to count."
    )
    total: int | None = Field(
        description="How many there are in all; null: not known yet, or nothing to count."
    )
    outcome: str | None = Field(description="What came of it, in English; null: it goes on.")


class Operations(AnswerModel):
    operations: list[OperationStatus] = Field(description="The last 20, the newest first.")


@dataclass(frozen=True, slots=True)
class GetOperationsHandler:
    store: ReadModelDatabase

    async def handle(self, _query: GetOperations, _scope: Scope) -> Answer:
        known = await self.store.started_operations(MOST)
        operations = [OperationStatus.model_validate(asdict(one)) for one in known]
        return Answer(Operations(operations=operations), ())
