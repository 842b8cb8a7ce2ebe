"""From request to command to answer: the same way for every route of the command API."""

import hmac
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from fastapi import Request, Response

from command_service.api.openapi import (
    CONSISTENCY_HEADER,
    IDEMPOTENCY_HEADER,
    LOCATION_HEADER,
    RECEIPT_HEADER,
    REPLAYED_HEADER,
)
from command_service.bus.command_bus import CommandBus, CommandContext, CommandResult, SentRequest
from command_service.handlers.start_operation import OperationStarter
from shared.auth.access import Principal, Role
from shared.clock import Clock, NewId
from shared.fault_points import FaultPoint, reached
from shared.http.bodies import parse_body, read_body
from shared.http.callers import Caller
from shared.http.direct_routes import DirectRoute
from shared.http.problems import FieldProblem, ProblemRaised, invalid_request
from shared.http.request_checks import check_ids, refuse_parameters
from shared.http.request_context import correlation_id_of, traceparent_of
from shared.signing import ConsistencyTokens

KEY_LIMIT = "8..128 visible ASCII characters"

_ACCEPTED = re.compile(r"[!-~]{8,128}")
_KEY_BYTES = 16


class RequestKeys:
    """Idempotency keys as they are stored: `k-` and 128 bits of an HMAC-SHA-256 in hex, so that
    callers never meet each other's keys, and nobody can derive them without the index key."""

    def __init__(self, index_key: bytes) -> None:
        self._key = hmac.digest(index_key, b"request key", "sha256")

    def sent(
        self, key: str | None, principal: Principal, method: str, path: str, body: bytes, child: str
    ) -> SentRequest | None:
        """The request with its key; None without one. `child`: its id in the path, or nothing.

        Raises the problem 422 for a malformed key.
        """
        if key is None:
            return None
        if not _ACCEPTED.fullmatch(key):
            problem = FieldProblem(IDEMPOTENCY_HEADER, f"must have {KEY_LIMIT}", KEY_LIMIT)
            raise ProblemRaised(invalid_request("The idempotency key is malformed.", problem))
        return SentRequest(
            key=self.stored(key, principal, child),
            content=f"{method}\n{path}\n".encode() + _canonical(body),
            as_sent=(principal.role.value, principal.subject, key),
        )

    def stored(self, key: str, principal: Principal, child: str) -> str:
        """`key` scoped to its caller. A bear's id is its child's own, so its keys are scoped to the
        child: they stay when that is erased."""
        caller = child if principal.role is Role.DEVICE else principal.subject
        scoped = f"{principal.role.value}\n{caller}\n{key}".encode()
        return f"k-{hmac.digest(self._key, scoped, 'sha256')[:_KEY_BYTES].hex()}"


def _canonical(body: bytes) -> bytes:
    """The same JSON in another order or spacing is the same request."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body


@dataclass(frozen=True, slots=True)
class Edge:
    """What the routes need, at `app.state.edge`. `query_url`: where clients reach the query API;
    None: nobody said."""

    bus: CommandBus
    operations: OperationStarter
    caller: Caller
    tokens: ConsistencyTokens
    request_keys: RequestKeys
    clock: Clock
    new_id: NewId
    query_url: str | None = None


class CommandRequest(Request):
    """A request on its way to become a command: who asks, and the time and ids for it.

    Nothing else of it: it is a Request so that FastAPI leaves it out of the documentation.
    """

    def __init__(
        self, request: Request, principal: Principal, sent: SentRequest | None, edge: Edge
    ) -> None:
        """`sent`: the command's own, which may be one of several in `request`."""
        self.at: datetime = edge.clock()
        self.context = CommandContext(
            principal=principal,
            correlation_id=correlation_id_of(request),
            # the command's own id: no two offers to the store are alike, however alike their events
            causation_id=edge.new_id(),
            traceparent=traceparent_of(request),
            request=sent,
        )
        self._new_id = edge.new_id

    def id_for(self, what: str) -> str:
        """The id of a new thing; the same again for a repeated request."""
        sent = self.context.request
        return self._new_id() if sent is None else sent.derived_id(what)


class CommandRoute(DirectRoute):
    """The endpoint is a function from body, path ids and request to a command.

    FastAPI reads its signature for the documentation only. The request is handled here: solving
    FastAPI's dependencies would cost two thirds of the time that an empty endpoint takes.
    """

    @property
    def body_model(self) -> Any:
        """Of the endpoint's argument `body`; None where it has none."""
        return None if self.body_field is None else self.body_field.field_info.annotation

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        to_command, model = self.endpoint, self.body_model
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
            key, child = request.headers.get(IDEMPOTENCY_HEADER), arguments.get("child_id", "")
            method, path = request.method, request.scope["path"]
            sent = edge.request_keys.sent(key, principal, method, path, raw, child)
            asked = CommandRequest(request, principal, sent, edge)
            command = to_command(request=asked, **arguments)
            result = await edge.bus.dispatch(command, asked.context)
            done = _answer(result, status, edge)
            reached(FaultPoint.COMMAND_BEFORE_REPLY)
            return done

        return handle


def _answer(result: CommandResult, status: int, edge: Edge) -> Response:
    headers = {CONSISTENCY_HEADER: edge.tokens.issue(result.child_id, result.version)}
    if result.replayed:
        headers[REPLAYED_HEADER] = "true"
    if edge.query_url is not None:
        headers |= _addresses(result, f"{edge.query_url}/v1/children/{result.child_id}")
    content = orjson.dumps(answer_body(result))
    return Response(content, status, headers, media_type="application/json")


def answer_body(result: CommandResult) -> dict[str, Any]:
    """As CommandAnswer documents it."""
    body = {"child_id": result.child_id, "version": result.version, "events": result.events}
    made = {
        "violation_id": result.violation_id,
        "conversation_id": result.conversation_id,
        "ignored": result.ignored or None,
    }
    return body | {name: value for name, value in made.items() if value is not None}


def _addresses(result: CommandResult, child: str) -> dict[str, str]:
    """What the command made, at the API that has it: this one has nothing to be read."""
    if "ChildRegistered" in result.events:
        return {LOCATION_HEADER: child}
    if "ChildErased" in result.events:
        return {RECEIPT_HEADER: f'<{child}/erasure-receipt>; rel="receipt"'}
    return {}
