"""The commands of a batch: the same as their own routes make of a request."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Request
from pydantic import FailFast, Field

from command_service.api import children, consents, conversations, lifecycle, safety
from command_service.api.command_route import (
    KEY_LIMIT,
    CommandRequest,
    CommandRoute,
    Edge,
)
from command_service.api.errors import PROBLEMS
from command_service.bus.command_bus import SentCommand
from shared.auth.access import Principal, RateClass, operation_of, rule_of
from shared.http.bodies import MAX_BODY_BYTES, RequestBody, body_too_large, parse_body
from shared.http.edge import PREFIX
from shared.http.problems import (
    FieldProblem,
    Problem,
    ProblemRaised,
    invalid_request,
    problem_of_error,
)
from shared.http.request_checks import check_ids

MOST_COMMANDS = 1_000

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)

COMMAND_ROUTERS = (
    *(children.router, consents.router, safety.router, conversations.router),
    lifecycle.router,
)

ROUTES: Mapping[str, CommandRoute] = {
    operation_of(route.name): route
    for router in COMMAND_ROUTERS
    for route in router.routes
    if isinstance(route, CommandRoute)
}
"""By the name of the command."""


class BatchItem(RequestBody):
    command: str = Field(
        description=f"Its name: one of {', '.join(sorted(ROUTES))}.",
        examples=["RecordMessage"],
    )
    idempotency_key: str = Field(
        description=f"As the header `Idempotency-Key` of the command's own route: {KEY_LIMIT}. A "
        "command that was sent in a batch may be repeated at its route, and the other way round.",
        examples=["9f1c6a52-8f0e-4f4e-9d55-7d1c1f2b3a60"],
    )
    path: dict[str, str] = Field(
        default_factory=dict,
        description="The ids in the path of the command's own route.",
        examples=[
            {
                "child_id": "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11",
                "conversation_id": "0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f",
            }
        ],
    )
    body: dict[str, Any] | None = Field(
        None,
        description="The body of the command's own route.",
        examples=[{"role": "child", "word_count": 12}],
    )


class Batch(RequestBody):
    commands: Annotated[tuple[BatchItem, ...], FailFast()] = Field(
        description="In the order in which those of a child are executed.",
        min_length=1,
        max_length=MOST_COMMANDS,
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command as it goes to the bus, or why it does not. `path`: of its own route, where it has
    one. `status`: of its success."""

    path: str
    status: int
    sent: SentCommand | None = None
    problem: Problem | None = None


def rates_of(batch: Batch) -> Counter[RateClass]:
    """How many operations of each class it has, beside the one that the request itself counts as.
    A name that no command has is none."""
    known = (item.command for item in batch.commands if item.command in ROUTES)
    counted = Counter(rule_of(command).rate for command in known)
    counted[RateClass.COMMANDS] -= 1
    return +counted


def prepared(item: BatchItem, request: Request, principal: Principal, edge: Edge) -> Prepared:
    """What the route of the command makes of `item`, or answers before the bus is asked."""
    route = ROUTES.get(item.command)
    if route is None:
        known = ", ".join(sorted(ROUTES))
        refusal = _invalid(FieldProblem("command", "must be the name of a command", known))
        return Prepared(request.scope["path"], 0, problem=refusal)
    try:
        path = _path_of(route, item.path)
    except ProblemRaised as error:
        return Prepared(f"{PREFIX}{route.path}", 0, problem=error.problem)
    try:
        sent = _sent(item, route, path, request, principal, edge)
    except Exception as error:  # noqa: BLE001 - a problem of this command, not of the others
        return Prepared(path, 0, problem=problem_of_error(error, PROBLEMS))
    return Prepared(path, route.status_code or 200, sent)


def _sent(
    item: BatchItem,
    route: CommandRoute,
    path: str,
    request: Request,
    principal: Principal,
    edge: Edge,
) -> SentCommand:
    raw, model = b"", route.body_model
    arguments: dict[str, Any] = dict(item.path)
    if model is not None:
        raw = b"" if item.body is None else _json(item.body)
        arguments["body"] = parse_body(model, raw, is_read=True)
    elif item.body is not None:
        raise ProblemRaised(_invalid(FieldProblem("body", "must be left out")))
    (method,), child = route.methods or {"POST"}, item.path.get("child_id", "")
    key = item.idempotency_key
    sent = edge.request_keys.sent(key, principal, method, path, raw, child)
    asked = CommandRequest(request, principal, sent, edge)
    return SentCommand(route.endpoint(request=asked, **arguments), asked.context)


def _path_of(route: CommandRoute, ids: Mapping[str, str]) -> str:
    """Raises the problem 422 unless `ids` are those that it has."""
    if ids.keys() != route.param_convertors.keys():
        wrong = _wrong_names(set(route.param_convertors), set(ids))
        raise ProblemRaised(_invalid(*wrong))
    check_ids(ids)
    return f"{PREFIX}{route.path_format.format(**ids)}"


def _wrong_names(expected: set[str], given: set[str]) -> Iterator[FieldProblem]:
    for name in sorted(expected - given):
        yield FieldProblem(f"path.{name}", "required")
    for name in sorted(given - expected):
        yield FieldProblem(f"path.{name}", "unknown field")


def _invalid(*fields: FieldProblem) -> Problem:
    return invalid_request("The command is invalid; see `errors`.", *fields)


def _json(body: dict[str, Any]) -> bytes:
    """As the route would have got it. Raises the problems 413, and 422 for a number that JSON has
    no text for: one that was too large for a float."""
    try:
        raw = _ENCODER.encode(body).encode()
    except ValueError:
        field = FieldProblem("body", "must contain finite numbers only", "finite numbers")
        raise ProblemRaised(_invalid(field)) from None
    if len(raw) > MAX_BODY_BYTES:
        raise ProblemRaised(body_too_large(MAX_BODY_BYTES))
    return raw
