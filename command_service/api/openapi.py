"""What the OpenAPI document says of commands: bodies, headers, answers, and what follows them."""

from typing import Any

from pydantic import BaseModel, Field

from command_service.child.field_checks import Limit
from shared.auth.access import SUBJECT
from shared.http.openapi import Link, Links
from shared.http.problems import RETRY_AFTER, problem_responses

IDEMPOTENCY_HEADER, CONSISTENCY_HEADER = "Idempotency-Key", "Consistency-Token"
REPLAYED_HEADER, RECEIPT_HEADER, LOCATION_HEADER = "Idempotency-Replayed", "Link", "Location"

IDEMPOTENCY_PARAMETER: dict[str, Any] = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key gets the first result, also if nothing "
    "changed. A different request with the key is refused. Choose it at random, e.g. a UUID: a "
    "hash of it is stored permanently. Once the child is erased, a repetition is refused like "
    "every command about it; a repetition of the erasure itself is answered.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": "^[!-~]+$"},
    "example": "9f1c6a52-8f0e-4f4e-9d55-7d1c1f2b3a60",
}


def between(limit: Limit) -> dict[str, Any]:
    """JSON schema of a number's limit."""
    return {"minimum": limit.minimum, "maximum": limit.maximum}


def sized(limit: Limit) -> dict[str, Any]:
    """JSON schema of a text's limit, in characters after trimming."""
    return {"minLength": limit.minimum, "maxLength": limit.maximum}


def optional(limit: Limit, *, least: int | None = None) -> dict[str, Any]:
    """JSON schema of a text that may be null. `least`: where fewer characters mean none."""
    lengths = sized(limit) | ({} if least is None else {"minLength": least})
    return {"anyOf": [{"type": "string", **lengths}, {"type": "null"}]}


SUBJECT_OR_NULL: dict[str, Any] = {
    "anyOf": [{"type": "string", "pattern": f"^{SUBJECT}$"}, {"type": "null"}]
}
"""JSON schema of a parent's or bear's id."""

UUID: dict[str, Any] = {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
"""JSON schema of an id that the caller may choose."""


def entries(limit: Limit, of: Limit) -> dict[str, Any]:
    """JSON schema of a list's limit and that of its texts."""
    return {
        "minItems": limit.minimum,
        "maxItems": limit.maximum,
        "items": {"type": "string", **sized(of)},
    }


CONFLICT = 409


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
        "unknown: a report that names an unknown conversation is accepted without it.",
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

CHILD = "/v1/children/{child_id}"
TALK = f"{CHILD}/conversations/{{conversation_id}}"
VIOLATION = f"{CHILD}/safety-violations/{{violation_id}}"

OF_CHILD = {"child_id": "$response.body#/child_id"}
SEEING_IT = OF_CHILD | {"header.Consistency-Token": "$response.header.Consistency-Token"}
OF_NEW_TALK = OF_CHILD | {"conversation_id": "$response.body#/conversation_id"}
OF_SAME_TALK = OF_CHILD | {"conversation_id": "$request.path.conversation_id"}
OF_SAME = OF_CHILD | {"violation_id": "$request.path.violation_id"}
OF_VIOLATION = OF_CHILD | {"violation_id": "$response.body#/violation_id"}


def _query(name: str, path: str, description: str) -> Link:
    return Link(name, f"GET {path}", description, SEEING_IT, elsewhere=True)


PROFILE = _query("GetChildProfile", CHILD, "The child after this command.")
REPORT = _query(
    "GetChildSafetyReport", f"{CHILD}/safety-report", "The child's safety after this command."
)
POLICY = _query("GetAlertPolicy", f"{CHILD}/alert-policy", "The policy after this command.")
ANALYTICS = _query(
    "GetChildAnalytics", f"{CHILD}/analytics", "The child's use of the bear after this command."
)
RECEIPT = _query(
    "GetErasureReceipt", f"{CHILD}/erasure-receipt", "What was removed and what remains."
)


def _message(conversation: dict[str, str]) -> Link:
    return Link(
        "RecordMessage", f"POST {TALK}/messages", "A message of the conversation.", conversation
    )


def _end(conversation: dict[str, str]) -> Link:
    return Link("EndConversation", f"POST {TALK}/end", "End it.", conversation)


LINKS: Links = {
    "POST /v1/children": (
        PROFILE,
        Link("UpdateChildProfile", f"PATCH {CHILD}/profile", "Change it.", OF_CHILD),
        Link("GiveConsent", f"PUT {CHILD}/consents/{{purpose}}", "Consent to more.", OF_CHILD),
        Link("ConfigureAlerts", f"PUT {CHILD}/alert-policy", "When to alert.", OF_CHILD),
        Link("StartConversation", f"POST {CHILD}/conversations", "Start a conversation.", OF_CHILD),
        Link("ReportSafetyViolation", f"POST {CHILD}/safety-violations", "Report one.", OF_CHILD),
        Link("DeactivateChild", f"POST {CHILD}/deactivation", "End the account.", OF_CHILD),
        Link("EraseChild", f"DELETE {CHILD}/personal-data", "Erase the child.", OF_CHILD),
    ),
    f"PATCH {CHILD}/profile": (PROFILE,),
    f"PUT {CHILD}/consents/{{purpose}}": (
        PROFILE,
        Link(
            "WithdrawConsent",
            f"DELETE {CHILD}/consents/{{purpose}}",
            "Withdraw it.",
            OF_CHILD | {"purpose": "$request.path.purpose"},
        ),
    ),
    f"DELETE {CHILD}/consents/{{purpose}}": (PROFILE,),
    f"PUT {CHILD}/alert-policy": (POLICY, REPORT),
    f"POST {CHILD}/safety-violations": (
        REPORT,
        Link("ResolveSafetyViolation", f"POST {VIOLATION}/resolution", "Resolve it.", OF_VIOLATION),
        Link("AssignSafetyViolation", f"PUT {VIOLATION}/assignee", "Assign it.", OF_VIOLATION),
        Link(
            "AcknowledgeSafetyViolation",
            f"POST {VIOLATION}/acknowledgement",
            "Acknowledge it as the parent.",
            OF_VIOLATION,
        ),
    ),
    f"PUT {VIOLATION}/assignee": (REPORT,),
    f"POST {VIOLATION}/resolution": (
        REPORT,
        Link("ReopenSafetyViolation", f"POST {VIOLATION}/reopening", "Reopen it.", OF_SAME),
    ),
    f"POST {VIOLATION}/reopening": (REPORT,),
    f"POST {VIOLATION}/acknowledgement": (REPORT,),
    f"POST {CHILD}/conversations": (_message(OF_NEW_TALK), _end(OF_NEW_TALK)),
    f"POST {TALK}/messages": (_message(OF_SAME_TALK), _end(OF_SAME_TALK)),
    f"POST {TALK}/end": (ANALYTICS,),
    f"POST {CHILD}/deactivation": (
        PROFILE,
        Link("ReactivateChild", f"POST {CHILD}/reactivation", "Reactivate it.", OF_CHILD),
    ),
    f"POST {CHILD}/reactivation": (PROFILE,),
    f"DELETE {CHILD}/personal-data": (RECEIPT,),
}
