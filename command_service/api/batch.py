"""POST /commands:batch: many commands in one request, each with a result of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from command_service.api.batch_items import Batch, Prepared, prepared, rates_of
from command_service.api.batch_run import BatchRun
from command_service.api.command_route import Edge
from command_service.api.openapi import IDEMPOTENCY_HEADER, CommandAnswer
from command_service.bus.pipeline import allowed
from shared.auth.access import Principal
from shared.fault_points import FaultPoint, reached
from shared.http.admission import OVERLOADED, SUBJECT_FULL
from shared.http.bodies import parse_body, read_body
from shared.http.direct_routes import DirectRoute
from shared.http.limits import Shares
from shared.http.problems import (
    FieldProblem,
    ProblemBody,
    ProblemRaised,
    invalid_request,
    problem_responses,
)
from shared.http.request_checks import refuse_parameters

MAX_BATCH_BYTES = 1_024 * 1_024

PREPARED_AT_A_TIME = 50
"""Commands; then other requests have their turn."""

BATCHES_AT_A_TIME = 16
"""In one process. Each holds up to a MiB of body, and a thousand commands made of it."""

CHILDREN_AT_A_TIME = 64
"""In one process, of all batches: single commands have their share of the store meanwhile."""


class ItemResult(BaseModel):
    status: int = Field(
        description="The status that the command would have had on its own.", examples=[201]
    )
    answer: CommandAnswer | None = Field(None, description="Of a command that was executed.")
    consistency_token: str | None = Field(
        None, description="Send it with a query to see this command's effect."
    )
    replayed: bool | None = Field(
        None,
        description="true: the idempotency key was used before, and the command was not executed "
        "again.",
    )
    problem: ProblemBody | None = Field(None, description="Of a command that was not executed.")
    retry_after: int | None = Field(
        None, description="Seconds after which the same command may succeed."
    )


class BatchResult(BaseModel):
    results: list[ItemResult] = Field(description="One for each command, in their order.")


class Batches:
    """The batches under way in a process: a bounded number, and one of each caller. `children`:
    how many children the commands of all of them may be executed for at a time."""

    def __init__(self) -> None:
        self._shares = Shares[Principal](BATCHES_AT_A_TIME, 1 / BATCHES_AT_A_TIME)
        self.children = asyncio.Semaphore(CHILDREN_AT_A_TIME)

    @contextmanager
    def turn(self, caller: Principal) -> Iterator[None]:
        """Raises the problem 429 while the caller has one under way, 503 while the process has as
        many as it takes."""
        if self._shares.is_full(caller):
            raise ProblemRaised(SUBJECT_FULL)
        if self._shares.callers >= BATCHES_AT_A_TIME:
            raise ProblemRaised(OVERLOADED)
        self._shares.take(caller)
        try:
            yield
        finally:
            self._shares.give_back(caller)


class BatchRoute(DirectRoute):
    """As CommandRoute: FastAPI reads the endpoint's signature for the documentation only."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            edge: Edge = request.app.state.edge
            principal = await edge.caller(request)
            refuse_parameters(request)
            _require_no_key(request)
            allowed(principal, "SendCommands")
            with request.app.state.batches.turn(principal):
                raw = await read_body(request, MAX_BATCH_BYTES)
                response: Response = await self.endpoint(parse_body(Batch, raw), request)
                return response

        return handle


router = APIRouter(route_class=BatchRoute, tags=["batch"])


@router.post(
    "/commands:batch",
    response_model=BatchResult,
    response_model_exclude_none=True,
    responses=problem_responses(401, 403, 408, 413, 429, 503),
)
async def send_commands(body: Batch, request: Request) -> Response:
    """Execute many commands, each as if it had been sent on its own, and answer with the result of
    each. Commands of one child are executed in their order; those of other children meanwhile.

    A command that is refused does not keep the following ones from being executed. After one that
    may succeed later (its result has `retry_after`) no further one of its child is attempted: send
    it and those again, with the same idempotency keys.
    """
    edge: Edge = request.app.state.edge
    principal: Principal = request.state.principal
    for rate, times in rates_of(body).items():
        await edge.caller.spend(request, principal, rate, times)
    items: list[Prepared] = []
    for item in body.commands:
        if len(items) % PREPARED_AT_A_TIME == 0:
            await asyncio.sleep(0)
        items.append(prepared(item, request, principal, edge))
    run = BatchRun(edge, request, items, request.app.state.batches.children)
    results = await run.results()
    reached(FaultPoint.COMMAND_BEFORE_REPLY)
    return Response(orjson.dumps({"results": results}), media_type="application/json")


def _require_no_key(request: Request) -> None:
    if IDEMPOTENCY_HEADER not in request.headers:
        return
    field = FieldProblem(IDEMPOTENCY_HEADER, "must be left out: each command has its own")
    raise ProblemRaised(invalid_request("A batch has no idempotency key.", field))
