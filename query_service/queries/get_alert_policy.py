"""GetAlertPolicy: when and how a child's parent is alerted."""

from dataclasses import dataclass

from pydantic import Field

from query_service.queries.answers import AnswerModel, StaleSince
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import AboutOneChild, Scope, VisibleChildren
from query_service.read_store.port import ReadModelDatabase
from shared.events.child import AlertChannel, AlertPolicy, Severity
from shared.read_models.documents import AlertPolicyEntry


@dataclass(frozen=True, slots=True)
class GetAlertPolicy(Query):
    child_id: str


class AlertPolicyInForce(AnswerModel):
    child_id: str
    version: int
    stale_since: StaleSince
    is_default: bool = Field(
        description="Whether it is the policy that is in force where nobody configured another."
    )
    threshold: Severity = Field(description="A violation of this severity or above alerts at once.")
    count: int = Field(
        description="So many milder violations, medium or above, alert if reported within "
        "`window_hours`."
    )
    window_hours: int = Field(description="The time within which they count, in hours.")
    channels: list[AlertChannel]


@dataclass(frozen=True, slots=True)
class GetAlertPolicyHandler(AboutOneChild):
    store: ReadModelDatabase
    children: VisibleChildren
    ttl: float

    async def handle(self, query: GetAlertPolicy, scope: Scope) -> Answer:
        child = await self.children.find(query.child_id, scope)
        safety = await self.store.safety(child.id)
        policy = AlertPolicy() if safety is None else _policy(safety["alert_policy"])
        answer = AlertPolicyInForce(
            child_id=child.id,
            version=child.document["version"],
            stale_since=child.stale_since,
            is_default=policy == AlertPolicy(),
            threshold=policy.threshold,
            count=policy.count,
            window_hours=policy.window_hours,
            channels=list(policy.channels),
        )
        return Answer(answer, (child.id,), answer.version)


def _policy(entry: AlertPolicyEntry) -> AlertPolicy:
    return AlertPolicy(
        threshold=Severity(entry["threshold"]),
        count=entry["count"],
        window_hours=entry["window_hours"],
        channels=tuple(AlertChannel(channel) for channel in entry["channels"]),
    )
