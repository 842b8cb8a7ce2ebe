"""GetErasureReceipt: the proof that a child was erased, for its family."""

from dataclasses import dataclass

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import ChildNotFound, Scope
from query_service.read_store.port import ReadModelDatabase
from shared.clock import Clock
from shared.erasures import KIND, receipt_of
from shared.keyring.erased_list import ErasedList
from shared.signing import StatementSigner


@dataclass(frozen=True, slots=True)
class GetErasureReceipt(Query):
    child_id: str


class RemovedThings(AnswerModel):
    step: str
    what: str
    count: int = Field(description="Number of documents; 0 if there were none.")
    at: Instant = Field(description="When it was last verified.")


class RemainingThing(AnswerModel):
    what: str
    why: str


class ErasureReceipt(AnswerModel):
    """`receipt` is the rest of this answer as a signed statement: keep it, it is the proof."""

    child_id: str
    erased_at: Instant
    by_role: str = Field(description="Role of the caller; system: reapplied after a restore.")
    version: int = Field(description="Number of events in the child's history.")
    hash: str = Field(description="Of the commit that ends the child's history.")
    complete: bool = Field(description="False while steps are outstanding.")
    removed: list[RemovedThings]
    outstanding: list[str]
    remains: list[RemainingThing]
    issued_at: Instant
    receipt: str = Field(description="Compact JWS (RFC 7515); `teddy erase verify` checks it.")


@dataclass(frozen=True, slots=True)
class GetErasureReceiptHandler:
    """Never cached: steps are still being added."""

    store: ReadModelDatabase
    erased: ErasedList
    signer: StatementSigner
    clock: Clock

    async def handle(self, query: GetErasureReceipt, scope: Scope) -> Answer:
        """Raises ChildNotFound, also for a child that is not erased."""
        if scope.parent_id is not None:
            owner = await self.store.parent_of(query.child_id)
            if owner != scope.parent_id:
                raise ChildNotFound
        for child in await self.erased.find([query.child_id]):
            statement = receipt_of(child, self.clock())
            signed = self.signer.sign(KIND, statement)
            content = ErasureReceipt.model_validate({**statement, "receipt": signed})
            return Answer(content, (child.child_id,))
        raise ChildNotFound
