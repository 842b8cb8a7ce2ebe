"""POST /operations: what workers are to do to the read models and to notifications."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from command_service.api.command_route import CommandRequest, Edge
from command_service.api.openapi import (
    CONFLICT,
    DOCUMENTED_HEADERS,
    IDEMPOTENCY_HEADER,
    IDEMPOTENCY_PARAMETER,
    REPLAYED_HEADER,
)
from command_service.bus.pipeline import allowed
from shared.fault_points import FaultPoint, reached
from shared.http.bodies import RequestBody, parse_body, read_body
from shared.http.direct_routes import DirectRoute
from shared.http.problems import (
    FieldProblem,
    ProblemBody,
    ProblemRaised,
    invalid_request,
    problem_responses,
)
from shared.http.request_checks import IDS, IS_ID, refuse_parameters
from shared.operations import OperationKind, OperationRequest, OperationState, ReadModelName

MOST_CHILDREN = 100
ACCEPTED = 202
BELONGS_TO: Mapping[str, OperationKind] = {
    "models": OperationKind.REBUILD,
    "child_ids": OperationKind.REDRIVE_CHILDREN,
    "from_store": OperationKind.REDRIVE_CHILDREN,
}

REPETITION = (
    "A repeated request with the same key gets the first result, until 30 days after the operation "
    "ended. A different request with the key is refused. Choose it at random, e.g. a UUID."
)

Identity = Annotated[str, IS_ID, Field(json_schema_extra=IDS)]


class OperationBody(RequestBody):
    kind: OperationKind = Field(description="What is to be done.", examples=["redrive-children"])
    models: tuple[ReadModelName, ...] | None = Field(
        None,
        description="Of a rebuild: only these read models are folded, others are copied. Null: "
        "all.",
        examples=[None],
        json_schema_extra={"minItems": 1, "uniqueItems": True},
    )
    child_ids: tuple[Identity, ...] | None = Field(
        None,
        description="Of a redrive of children: only these of the dead-lettered ones. Null: all.",
        examples=[["7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11"]],
        json_schema_extra={"minItems": 1, "maxItems": MOST_CHILDREN, "uniqueItems": True},
    )

    from_store: bool = Field(
        False,
        description="Of a redrive of children: publish the events of the event store, not the "
        "dead-lettered records, which may be damaged.",
    )


class StartedOperation(BaseModel):
    operation_id: str = Field(description="As the list of operations at the query API names it.")
    kind: OperationKind = Field(description="As in the request.")
    state: OperationState = Field(description="A worker takes it up.", examples=["requested"])


class OperationProblemBody(ProblemBody):
    operation_id: str | None = Field(
        None, description="Of `operation-running`: the one that has not ended."
    )


class OperationRoute(DirectRoute):
    """As CommandRoute: FastAPI reads the endpoint's signature for the documentation only."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            edge: Edge = request.app.state.edge
            principal = await edge.caller(request)
            refuse_parameters(request)
            allowed(principal, "StartOperation")
            raw = await read_body(request)
            body = parse_body(OperationBody, raw)
            _check(body)
            key = request.headers.get(IDEMPOTENCY_HEADER)
            method, path = request.method, request.scope["path"]
            sent = edge.request_keys.sent(key, principal, method, path, raw, "")
            asked = CommandRequest(request, principal, sent, edge)
            wanted: OperationRequest = self.endpoint(body, asked)
            replayed = await edge.operations.start(wanted, asked.context)
            reached(FaultPoint.COMMAND_BEFORE_REPLY)
            return _answer(wanted, replayed=replayed)

        return handle


def _responses() -> dict[int | str, dict[str, Any]]:
    responses = problem_responses(401, 403, 408, CONFLICT, 413, 429, 503)
    responses[CONFLICT] |= {
        "description": "One of this kind has not ended; the problem names it.",
        "model": OperationProblemBody,
    }
    headers = {REPLAYED_HEADER: DOCUMENTED_HEADERS[REPLAYED_HEADER]}
    return {**responses, ACCEPTED: {"headers": headers}}


router = APIRouter(route_class=OperationRoute, tags=["operations"])


@router.post(
    "/operations",
    status_code=ACCEPTED,
    response_model=StartedOperation,
    responses=_responses(),
    openapi_extra={"parameters": [IDEMPOTENCY_PARAMETER | {"description": REPETITION}]},
)
def start_operation(body: OperationBody, request: CommandRequest) -> OperationRequest:
    """Have a worker rebuild read models, project dead-lettered children again, try failed
    notifications again, or notify every query process to forget what it keeps. One of each kind at
    a time; `GET /v1/system/operations` of the query API shows how far it is. For
    administrators."""
    return OperationRequest(
        request.id_for("operation"),
        body.kind,
        request.context.principal.on_record,
        request.at,
        None if body.models is None else tuple(sorted(body.models)),
        None if body.child_ids is None else tuple(sorted(body.child_ids)),
        body.from_store,
    )


def _answer(wanted: OperationRequest, *, replayed: bool) -> Response:
    started = StartedOperation(
        operation_id=wanted.id, kind=wanted.kind, state=OperationState.REQUESTED
    )
    headers = {REPLAYED_HEADER: "true"} if replayed else {}
    content = orjson.dumps(started.model_dump())
    return Response(content, ACCEPTED, headers, media_type="application/json")


def _check(body: OperationBody) -> None:
    """Raises the problem 422 that names every field at fault."""
    problems = [
        *_of_another_kind(body),
        *_of_list("models", body.models, len(ReadModelName)),
        *_of_list("child_ids", body.child_ids, MOST_CHILDREN),
    ]
    if problems:
        raise ProblemRaised(invalid_request("Correct these fields.", *problems))


def _of_another_kind(body: OperationBody) -> Iterator[FieldProblem]:
    for field, kind in BELONGS_TO.items():
        given = getattr(body, field)
        if given is not None and given is not False and body.kind is not kind:
            yield FieldProblem(field, f"must be left out: it belongs to the kind {kind}", kind)


def _of_list(field: str, given: Sequence[str] | None, most: int) -> Iterator[FieldProblem]:
    if given is None:
        return
    if not 1 <= len(given) <= most:
        yield FieldProblem(field, f"must have 1 to {most} entries", f"1..{most}")
    if len(set(given)) < len(given):
        yield FieldProblem(field, "must contain each entry at most once", "once")
