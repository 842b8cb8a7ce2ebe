"""/children/{child_id}/safety-violations and /alert-policy."""

from fastapi import APIRouter
from pydantic import Field

from command_service.api.command_route import CommandRequest, CommandRoute
from command_service.api.openapi import (
    SUBJECT_OR_NULL,
    UUID,
    between,
    documented,
    optional,
    sized,
)
from command_service.child.commands import (
    UNCHANGED,
    AcknowledgeSafetyViolation,
    AssignSafetyViolation,
    ConfigureAlerts,
    ReopenSafetyViolation,
    ReportSafetyViolation,
    ResolveSafetyViolation,
)
from command_service.child.field_checks import (
    ALERT_CHANNELS,
    ALERT_COUNT,
    ALERT_WINDOW_HOURS,
    DETAILS,
    LABEL,
    NOTE,
    REASON,
)
from shared.events.child import AlertChannel, Outcome, Severity
from shared.http.bodies import RequestBody
from shared.http.request_checks import ChildId, ViolationId

router = APIRouter(route_class=CommandRoute, tags=["safety"])


class ViolationReport(RequestBody):
    type: str = Field(
        description="Its category; reports are counted by category.",
        examples=["inappropriate_content"],
        json_schema_extra=sized(LABEL),
    )
    severity: Severity = Field(
        description="Its severity; the alert policy depends on it.", examples=["high"]
    )
    details: str | None = Field(
        None,
        description="What happened, in words; kept under the child's key. "
        f"At most {DETAILS.maximum} characters.",
        examples=["Asked for the home address."],
        json_schema_extra=optional(DETAILS, least=0),
    )
    conversation_id: str | None = Field(
        None,
        description="A UUID: the conversation in which it happened. An unknown conversation is "
        "ignored, and the answer lists it in `ignored`: the report is accepted all the same.",
        examples=["0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f"],
        json_schema_extra=UUID,
    )


class Resolution(RequestBody):
    outcome: Outcome = Field(
        description="Whether the reported violation was one.", examples=["confirmed"]
    )
    note: str | None = Field(
        None,
        description="Why, in words, for who looks at it next; kept under the child's key. Families "
        f"find it in their export. At most {NOTE.maximum} characters.",
        examples=["A line of a song."],
        json_schema_extra=optional(NOTE, least=0),
    )


class Reopening(RequestBody):
    reason: str = Field(
        description="Why, in words; kept under the child's key. Families find it in their export.",
        examples=["It was reported again."],
        json_schema_extra=sized(REASON),
    )


class Assignment(RequestBody):
    assignee: str | None = Field(
        None,
        description="The subject of one of the staff; it is not checked whether there is such a "
        "person. Null: nobody. Left out: the caller.",
        examples=["officer-7"],
        json_schema_extra=SUBJECT_OR_NULL,
    )
    instead_of: str | None = Field(
        None,
        description="Who must look into it until now, null: nobody; if somebody else does, the "
        "answer is 409 `violation-already-assigned`. Left out: whoever does.",
        examples=[None],
        json_schema_extra=SUBJECT_OR_NULL,
    )


class AlertPolicyBody(RequestBody):
    threshold: Severity = Field(
        description="Minimum severity for an immediate alert.", examples=["high"]
    )
    count: int = Field(
        description="Alert when this many violations of at least medium severity, but below "
        "the threshold, occur within the window.",
        examples=[3],
        json_schema_extra=between(ALERT_COUNT),
    )
    window_hours: int = Field(
        description="Length of that window.",
        examples=[24],
        json_schema_extra=between(ALERT_WINDOW_HOURS),
    )
    channels: tuple[AlertChannel, ...] = Field(
        description="Channels by which the parent is notified, each at most once; only "
        "configured channels are accepted.",
        examples=[["in_app"]],
        json_schema_extra={
            "minItems": ALERT_CHANNELS.minimum,
            "maxItems": ALERT_CHANNELS.maximum,
            "uniqueItems": True,
        },
    )


@router.post("/children/{child_id}/safety-violations", **documented(404, 409, 410, success=201))
def report_safety_violation(
    child_id: ChildId, body: ViolationReport, request: CommandRequest
) -> ReportSafetyViolation:
    """Report a safety violation, also on a deactivated child."""
    return ReportSafetyViolation(
        child_id=child_id,
        at=request.at,
        violation_id=request.id_for("violation"),
        violation_type=body.type,
        severity=body.severity,
        details=body.details,
        conversation_id=body.conversation_id,
    )


@router.post(
    "/children/{child_id}/safety-violations/{violation_id}/resolution", **documented(404, 409, 410)
)
def resolve_safety_violation(
    child_id: ChildId, violation_id: ViolationId, body: Resolution, request: CommandRequest
) -> ResolveSafetyViolation:
    """Say whether a reported violation was one."""
    return ResolveSafetyViolation(
        child_id=child_id,
        at=request.at,
        violation_id=violation_id,
        outcome=body.outcome,
        note=body.note,
        resolved_by=request.context.principal.subject,
    )


@router.post(
    "/children/{child_id}/safety-violations/{violation_id}/reopening", **documented(404, 409, 410)
)
def reopen_safety_violation(
    child_id: ChildId, violation_id: ViolationId, body: Reopening, request: CommandRequest
) -> ReopenSafetyViolation:
    """Take a resolution back: the violation is open and counts as if it had never been resolved.
    Nobody is alerted again."""
    return ReopenSafetyViolation(
        child_id=child_id, at=request.at, violation_id=violation_id, reason=body.reason
    )


@router.put(
    "/children/{child_id}/safety-violations/{violation_id}/assignee", **documented(404, 409, 410)
)
def assign_safety_violation(
    child_id: ChildId, violation_id: ViolationId, body: Assignment, request: CommandRequest
) -> AssignSafetyViolation:
    """Say who looks into an open violation. Saying it again changes nothing. Two who take it at
    once: one of them does, if both say `"instead_of": null`."""
    given = body.model_fields_set
    return AssignSafetyViolation(
        child_id=child_id,
        at=request.at,
        violation_id=violation_id,
        assignee=body.assignee if "assignee" in given else request.context.principal.subject,
        instead_of=body.instead_of if "instead_of" in given else UNCHANGED,
    )


@router.post(
    "/children/{child_id}/safety-violations/{violation_id}/acknowledgement",
    **documented(404, 409, 410),
)
def acknowledge_safety_violation(
    child_id: ChildId, violation_id: ViolationId, request: CommandRequest
) -> AcknowledgeSafetyViolation:
    """Say that the parent has seen a reported violation: its alert counts as read. Saying it again
    changes nothing."""
    return AcknowledgeSafetyViolation(child_id=child_id, at=request.at, violation_id=violation_id)


@router.put("/children/{child_id}/alert-policy", **documented(404, 409, 410))
def configure_alerts(
    child_id: ChildId, body: AlertPolicyBody, request: CommandRequest
) -> ConfigureAlerts:
    """Say when and how the parent is alerted."""
    return ConfigureAlerts(child_id=child_id, at=request.at, **dict(body))
