"""GetAlerts: what a parent was alerted to."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant
from query_service.queries.cursors import Cursors
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import ParentNotFound, Scope
from query_service.read_store.port import ReadModelDatabase
from shared.events.child import AlertChannel, Severity


@dataclass(frozen=True, slots=True)
class GetAlerts(Query):
    parent_id: str
    limit: int = 20
    cursor: str | None = None


class Alert(AnswerModel):
    alert_id: str
    child_id: str
    rule: Literal["threshold", "count"] = Field(
        description="threshold: one severe violation; count: several milder ones."
    )
    violation_id: str = Field(description="The violation that raised it.")
    violation_type: str
    severity: Severity
    channels: list[AlertChannel]
    raised_at: Instant
    acknowledged_at: Instant | None = Field(
        default=None, description="When the parent acknowledged it; null: unread."
    )
    delivered: dict[AlertChannel, Instant] = Field(description="Channel to when it was notified.")


class Alerts(AnswerModel):
    """One page, the newest first. `next_cursor` is null on the last page."""

    items: list[Alert]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class GetAlertsHandler:
    """Never cached: a parent who was notified must find the alert."""

    store: ReadModelDatabase
    cursors: Cursors

    async def handle(self, query: GetAlerts, scope: Scope) -> Answer:
        if not scope.may_see_parent(query.parent_id):
            raise ParentNotFound
        after = self.cursors.read(query.cursor, query.parent_id)
        found = await self.store.alerts_of(query.parent_id, after, query.limit + 1)
        page, next_cursor = self.cursors.page(found, query.limit, "raised_at", query.parent_id)
        items = [Alert.model_validate({**alert, "alert_id": alert["_id"]}) for alert in page]
        content = Alerts(items=items, next_cursor=next_cursor)
        return Answer(content, tuple(dict.fromkeys(alert.child_id for alert in content.items)))
