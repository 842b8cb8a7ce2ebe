"""Routes of the audit trail: who looked at a child, and the evidence of an incident."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from query_service.api.evidence import OPERATION
from query_service.api.exports import ExportStream
from query_service.api.parameters import ChildPage
from query_service.api.query_route import (
    QUERY_HEADERS,
    UNCHANGED,
    QueryRoute,
    edge_of,
    principal_of,
)
from query_service.api.sql import JSON, pieces, while_connected
from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.get_child_audit_records import ChildAuditRecords, GetChildAuditRecords
from query_service.queries.visible_children import Scope
from shared.audit.record import audit_as, children_of
from shared.http.problems import problem_responses
from shared.http.request_checks import ChildId, StrictRoute, ViolationId
from shared.http.request_context import correlation_id_of

looks = APIRouter(
    prefix="/children",
    tags=["safety"],
    responses={**UNCHANGED, **problem_responses(401, 403, 429, 503)},
    route_class=QueryRoute,
)
evidence = APIRouter(
    prefix="/children",
    tags=["safety"],
    responses=problem_responses(401, 403, 404, 429, 503),
    route_class=StrictRoute,
)


class EvidenceStream(ExportStream):
    too_slow = "evidence_client_too_slow"


class EvidenceFile(AnswerModel):
    """What `teddy evidence verify` takes. Personal values in it stay encrypted."""

    format: Literal["teddy-evidence/1"] = Field(description="The format of this file.")
    exported_at: Instant
    child_id: str
    violation_id: str
    schema_versions: dict[str, int] = Field(description="Event type to version of its schema.")
    commits: list[dict[str, Any]] = Field(
        description="The commits about the violation as stored, and those up to the next one that "
        "an audit record names."
    )
    audit: list[dict[str, Any]] = Field(
        description="The audit records about the child since, with the hashes that lead to signed "
        "heads."
    )
    unsigned_audit_records: int = Field(
        description="Number of audit records about the child that no head covers yet; they are not "
        "in the file."
    )
    trail: dict[str, Any] = Field(
        description="`records_read`; `findings`: what was found altered in the trail; "
        "`heads_since`: older signed heads were not read."
    )
    keys: dict[str, Any] = Field(description="JSON Web Key Set of the public keys.")
    signature: str = Field(description="Compact JWS (RFC 7515) over the rest of the file.")


@looks.get(
    "/{child_id}/audit-records", response_model=ChildAuditRecords, openapi_extra=QUERY_HEADERS
)
def get_child_audit_records(
    child_id: ChildId, page: Annotated[ChildPage, Query()]
) -> GetChildAuditRecords:
    """Who asked for what about a child, the newest first, as the audit trail has it; also of an
    erased child."""
    return GetChildAuditRecords(child_id, page.limit, page.cursor)


@evidence.get(
    "/{child_id}/safety-violations/{violation_id}/evidence",
    response_model=EvidenceFile,
    responses={200: {"description": "The file, as an attachment."}},
)
async def export_evidence(
    request: Request, child_id: ChildId, violation_id: ViolationId
) -> EvidenceStream:
    """The evidence of an incident in one file that anybody can check: the violation as stored, and
    everyone who was shown the child's data since. Every audit record since is read for it."""
    asker, made = principal_of(request), edge_of(request).evidence
    Scope.of(asker, OPERATION)
    with made.slot() as slot:
        await made.put_on_record(asker, child_id, correlation_id_of(request))
        file = await while_connected(request, made.file(child_id, violation_id))
        audit_as(OPERATION, children_of([child_id]))
        headers = {
            "Content-Length": str(len(file)),
            "Content-Disposition": f'attachment; filename="evidence-{violation_id}.json"',
            "Cache-Control": "no-store",
        }
        body = pieces(file, slot)
        return EvidenceStream(
            body, slot.pop_all(), headers, made.reader_seconds, JSON, made.sending_seconds
        )
