"""GetChildProfile: everything about one child."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from query_service.queries.answers import AnswerModel, Instant, Minutes, StaleSince
from query_service.queries.query import Answer, Query
from query_service.queries.visible_children import (
    OWN_FIELDS,
    AboutOneChild,
    Scope,
    Unopened,
    VisibleChild,
    VisibleChildren,
)
from shared.events.child import ConsentMethod, ConsentPurpose
from shared.read_models.documents import ChildStatus, EngagementLevel, SafetyStatus

SHOWN_OF_UDID = 4


@dataclass(frozen=True, slots=True)
class GetChildProfile(Query):
    child_id: str


class ShownConsent(AnswerModel):
    """The latest consent to one purpose; it holds while `withdrawn_at` is null."""

    notice_version: str
    method: ConsentMethod
    given_at: Instant
    withdrawn_at: Instant | None


class ChildProfile(AnswerModel):
    child_id: str
    parent_id: str
    name: str | None
    age: int
    udid: str | None = Field(description="Masked: the last 4 characters.", examples=["****-042"])
    device_id: str | None
    preferences: dict[str, Any] | None
    learning_style: str | None
    interests: list[str] | None
    status: ChildStatus
    created_at: Instant
    updated_at: Instant
    version: int
    stale_since: StaleSince
    profile_completeness: float
    conversation_count: int
    total_messages: int
    total_minutes: Minutes
    last_interaction_at: Instant | None
    engagement_level: EngagementLevel
    learning_metrics: dict[str, int] = Field(description="Skill to how often it was practised.")
    flagged_content_count: int
    safety_violations_count: int
    open_violations_count: int
    violation_categories: dict[str, int]
    safety_score: float
    safety_status: SafetyStatus
    last_safety_check: Instant | None
    consents: dict[ConsentPurpose, ShownConsent] = Field(
        description="Purpose to what the parent consented to."
    )
    unreadable: list[str] = Field(
        description="Fields that cannot be decrypted and are null; contact an operator."
    )


@dataclass(frozen=True, slots=True)
class GetChildProfileHandler(AboutOneChild):
    children: VisibleChildren
    ttl: float

    async def handle(self, query: GetChildProfile, scope: Scope) -> Answer:
        child = await self.children.find(query.child_id, scope)
        return Answer(_profile(child), (child.id,), child.document["version"])


def _profile(child: VisibleChild) -> ChildProfile:
    document = child.document
    unopened = Unopened()
    own = {name: unopened.reveal(child, name, name) for name in OWN_FIELDS}
    udid = own["udid"]
    return ChildProfile.model_validate(
        {
            **document,
            "child_id": document["_id"],
            "stale_since": child.stale_since,
            "safety_status": child.safety_status,
            **own,
            "udid": None if udid is None else f"****{udid[-SHOWN_OF_UDID:]}",
            "unreadable": unopened.places,
        }
    )
