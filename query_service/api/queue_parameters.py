"""Parameters of the queue of all children's violations."""

from typing import Annotated

from pydantic import Field

from query_service.api.parameters import Page, Within
from query_service.queries.get_safety_violations import GetSafetyViolations
from query_service.read_store.violation_filter import ViolationOrder, ViolationStatus
from shared.events.child import Severity
from shared.http.request_checks import IDS, IS_ID


class Queue(Page):
    status: ViolationStatus = Field(ViolationStatus.OPEN, description="Open ones, or which.")
    severity: Severity | None = Field(None, description="Only violations of this severity.")
    assignee: Annotated[str, Within(1, 128)] | None = Field(
        None, description="Only violations that are assigned to this subject."
    )
    sort: ViolationOrder = Field(
        ViolationOrder.SEVERITY,
        description="`severity`: the most severe first, and of one severity the oldest.",
    )

    child_id: Annotated[str, IS_ID] | None = Field(
        None, description="Only violations of this child.", json_schema_extra={**IDS}
    )

    def to_query(self) -> GetSafetyViolations:
        return GetSafetyViolations(**self.model_dump())
