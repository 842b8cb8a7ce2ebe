"""From request to command to answer: the same way for every route of the command API."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from command_service.api.requests import (
    IDEMPOTENCY_HEADER,
    IDEMPOTENCY_PARAMETER,
    RequestKeys,
    derived_id,
    parse_body,
    read_body,
)
from command_service.bus.command_bus import CommandBus, CommandContext, CommandResult
from shared.auth.principal import Principal
from shared.clock import Clock, NewId
from shared.fault_points import FaultPoint, reached
from shared.http.callers import Caller
from shared.http.correlation import correlation_id_of, traceparent_of
from shared.http.path_ids import check_ids
from shared.http.problems import RETRY_AFTER, problem_responses
from shared.http.request_checks import refuse_parameters
from shared.signing import ConsistencyTokens

CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Edge:
    """What the routes need, at `app.state.edge`. `query_url`: where clients reach the query API;
    None: nobody said."""

    bus: CommandBus
    caller: Caller
    tokens: ConsistencyTokens
    request_keys: RequestKeys
    clock: Clock
    new_id: NewId
    query_url: str | None = None


class CommandRequest(Request):
    """A request on its way to become a command: who asks, and the time and ids for it."""

    def __init__(self, request: Request, principal: Principal, raw: bytes, edge: Edge) -> None:
        super().__init__(request.scope, request.receive)
        key, path = request.headers.get(IDEMPOTENCY_HEADER), request.scope["path"]
        child = request.path_params.get("child_id", "")
        self.at: datetime = edge.clock()
        self.context = CommandContext(
            principal=principal,
            correlation_id=correlation_id_of(request),
            # the command's own id: no two offers to the store are alike, however alike their events
            causation_id=edge.new_id(),
            traceparent=traceparent_of(request),
            request=edge.request_keys.sent(key, principal, request.method, path, raw, child),
        )
        self._new_id = edge.new_id

    def id_for(self, what: str) -> str:
        """The id of a new thing; the same again for a repeated request."""
        sent = self.context.request
        return self._new_id() if sent is None else derived_id(sent, what)


class CommandRoute(APIRoute):
    """The endpoint is a function from body, path ids and request to a command.

    FastAPI reads its signature for the documentation only. The request is handled here: solving
    FastAPI's dependencies would cost two thirds of the time that an empty endpoint takes.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        to_command = self.endpoint
        model: Any = None if self.body_field is None else self.body_field.field_info.annotation
        status = self.status_code or 200

        async def handle(request: Request) -> Response:
            edge: Edge = request.app.state.edge
            principal = await edge.caller(request)
            check_ids(request.path_params)
            refuse_parameters(request)
            raw = b"" if model is None else await read_body(request)
            arguments = dict(request.path_params)
            if model is not None:
                arguments["body"] = parse_body(model, raw)
            asked = CommandRequest(request, principal, raw, edge)
            command = to_command(request=asked, **arguments)
            result = await edge.bus.dispatch(command, asked.context)
            done = answer(result, status, edge.tokens, edge.query_url)
            reached(FaultPoint.COMMAND_BEFORE_REPLY)
            return done

        return handle


def documented(*refusals: int, success: int = 200) -> dict[str, Any]:
    """What the routes have in common; `refusals` are the error statuses beside the usual ones."""
    statuses = sorted({401, 403, 408, 413, 429, 503, *refusals})
    responses = problem_responses(*statuses)
    if CONFLICT in responses:
        responses[CONFLICT] |= {
            "description": "With `Retry-After`: a concurrent change; the same request may "
            "succeed. Without: it cannot succeed in the child's current state.",
            "headers": RETRY_AFTER,
        }
    return {
        "status_code": success,
        "response_model": CommandAnswer,
        "response_model_exclude_none": True,
        "responses": {**responses, success: {"headers": DOCUMENTED_HEADERS}},
        "openapi_extra": {"parameters": [IDEMPOTENCY_PARAMETER]},
    }


CONSISTENCY_HEADER = "Consistency-Token"
REPLAYED_HEADER = "Idempotency-Replayed"
RECEIPT_HEADER = "Link"
LOCATION_HEADER = "Location"


class CommandAnswer(BaseModel):
    child_id: str = Field(
        description="The child; `{child_id}` of all paths.",
        examples=["7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11"],
    )
    version: int = Field(description="The child's version after the command.", examples=[1])
    events: list[str] = Field(
        description="The resulting events; empty if nothing changed.",
        examples=[["ChildRegistered"]],
    )
    violation_id: str | None = Field(None, description="Of the violation just reported.")
    conversation_id: str | None = Field(None, description="Of the conversation just started.")
    ignored: list[str] | None = Field(
        None,
        description="Fields of the request that were ignored because they refer to something "
        "unknown: a report that names an unknown conversation is accepted "
        "without it.",
        examples=[["conversation_id"]],
    )


DOCUMENTED_HEADERS: dict[str, Any] = {
    CONSISTENCY_HEADER: {
        "description": "Send it with a query to see this command's effect.",
        "schema": {"type": "string"},
    },
    REPLAYED_HEADER: {
        "description": "`true` if the idempotency key was used before: the command was not "
        "executed again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    LOCATION_HEADER: {
        "description": "After a registration: the child's profile at the query API; send the "
        "`Consistency-Token` with the query. Missing if the operator has not "
        "configured the public address of that API.",
        "schema": {"type": "string", "format": "uri"},
    },
    RECEIPT_HEADER: {
        "description": 'After an erasure: its receipt at the query API, `rel="receipt"`. '
        "Missing if that API's public address is not configured.",
        "schema": {"type": "string"},
    },
}


def answer(
    result: CommandResult, status: int, tokens: ConsistencyTokens, query_url: str | None
) -> Response:
    """`query_url`: where clients reach the query API; None: no address of it is named."""
    body: dict[str, Any] = {
        "child_id": result.child_id,
        "version": result.version,
        "events": result.events,
    }
    if result.violation_id is not None:
        body["violation_id"] = result.violation_id
    if result.conversation_id is not None:
        body["conversation_id"] = result.conversation_id
    if result.ignored:
        body["ignored"] = result.ignored
    headers = {CONSISTENCY_HEADER: tokens.issue(result.child_id, result.version)}
    if result.replayed:
        headers[REPLAYED_HEADER] = "true"
    if query_url is not None:
        headers |= _addresses(result, f"{query_url}/v1/children/{result.child_id}")
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _addresses(result: CommandResult, child: str) -> dict[str, str]:
    """What the command made, at the API that has it: this one has nothing to be read."""
    if "ChildRegistered" in result.events:
        return {LOCATION_HEADER: child}
    if "ChildErased" in result.events:
        return {RECEIPT_HEADER: f'<{child}/erasure-receipt>; rel="receipt"'}
    return {}
