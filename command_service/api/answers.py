"""What every command answers."""

from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, Field

from command_service.command_bus import CommandResult
from shared.signing import ConsistencyTokens

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
        description="What happened; empty when nothing had to change.",
        examples=[["ChildRegistered"]],
    )
    violation_id: str | None = Field(None, description="Of the violation just reported.")
    conversation_id: str | None = Field(None, description="Of the conversation just started.")
    ignored: list[str] | None = Field(
        None,
        description="Fields of the request that were left out, because what they name does not "
        "exist: a report that names an unknown conversation counts without it.",
        examples=[["conversation_id"]],
    )


DOCUMENTED_HEADERS: dict[str, Any] = {
    CONSISTENCY_HEADER: {
        "description": "Send it with a query to see this command's effect.",
        "schema": {"type": "string"},
    },
    REPLAYED_HEADER: {
        "description": "`true` when the idempotency key was used before: nothing was done again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    LOCATION_HEADER: {
        "description": "After a registration: the child's profile at the query API; ask with the "
        "`Consistency-Token`. Missing where the operator has not said at which address clients "
        "reach that API.",
        "schema": {"type": "string", "format": "uri"},
    },
    RECEIPT_HEADER: {
        "description": 'After an erasure: its receipt at the query API, `rel="receipt"`. Missing '
        "where `Location` is.",
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
