"""/children: registration and profile."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from command_service.api.command_route import CommandRequest, CommandRoute
from command_service.api.consents import ConsentBody
from command_service.api.openapi import (
    SUBJECT_OR_NULL,
    between,
    documented,
    entries,
    optional,
    sized,
)
from command_service.child.commands import Consent, RegisterChild, UpdateChildProfile
from command_service.child.field_checks import (
    AGE,
    LABEL,
    LABELS,
    NAME,
    PREFERENCES_LIMIT,
    UDID_PATTERN,
)
from shared.auth.access import Role
from shared.events.child import ConsentPurpose
from shared.http.bodies import RequestBody
from shared.http.request_checks import ChildId

router = APIRouter(route_class=CommandRoute, tags=["children"])

CONSENT = {"notice_version": "2026-11", "method": "signed_form"}
EXAMPLE_PREFERENCES = {"bedtime_stories": True, "favourite": {"colour": "green"}}
IN_THEIR_WORDS = "Free text by the parent. Needs consent to `personalization`."

DeviceId = Annotated[
    str | None,
    Field(
        description="The subject of the bear's token: a caller with role `device` and this subject "
        "is the child's bear while the child is active. It is unique among active children, "
        "ignoring case. null: no bear may act for the child.",
        examples=["bear-device-42"],
        json_schema_extra=SUBJECT_OR_NULL,
    ),
]
Preferences = Annotated[
    dict[str, Any] | None,
    Field(
        description=f"{PREFERENCES_LIMIT}. Needs consent to `personalization`.",
        examples=[EXAMPLE_PREFERENCES],
    ),
]
LearningStyle = Annotated[
    str | None,
    Field(description=IN_THEIR_WORDS, examples=["visual"], json_schema_extra=optional(LABEL)),
]


class RegistrationConsent(ConsentBody):
    purpose: ConsentPurpose = Field(
        description="What the parent consents to.", examples=["account"]
    )


class Registration(RequestBody):
    name: str = Field(
        description="The child's name: visible characters, counted without leading and "
        "trailing spaces.",
        examples=["Ada"],
        json_schema_extra=sized(NAME),
    )
    age: int = Field(description="In whole years.", examples=[7], json_schema_extra=between(AGE))
    udid: str = Field(
        description="The bear's unique number, case-insensitive. A bear belongs to one "
        "active child.",
        examples=["TEDDY-0000-0042"],
        json_schema_extra={"pattern": f"^{UDID_PATTERN}$"},
    )
    parent_id: str | None = Field(
        None,
        description="Default: the caller, if a parent; required for other callers.",
        examples=["parent-17"],
        json_schema_extra=SUBJECT_OR_NULL,
    )
    device_id: DeviceId = None
    preferences: Preferences = None
    learning_style: LearningStyle = None
    interests: tuple[str, ...] | None = Field(
        None,
        description=IN_THEIR_WORDS,
        examples=[["space", "dinosaurs"]],
        json_schema_extra=entries(LABELS, of=LABEL),
    )
    consents: tuple[RegistrationConsent, ...] = Field(
        description="The parent's: `account` always, `personalization` with preferences, learning "
        "style or interests; each purpose once.",
        examples=[[{**CONSENT, "purpose": purpose} for purpose in ConsentPurpose]],
    )


class ProfileChanges(RequestBody):
    """Only what is to change. null clears device_id, preferences, learning_style, interests."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: str = Field(
        default_factory=str,
        description="The child's new name.",
        examples=["Ada"],
        json_schema_extra=sized(NAME),
    )
    age: int = Field(
        default_factory=int,
        description="In whole years.",
        examples=[8],
        json_schema_extra=between(AGE),
    )
    device_id: DeviceId = None
    preferences: Preferences = None
    learning_style: LearningStyle = None
    interests: tuple[str, ...] | None = Field(
        None,
        description=IN_THEIR_WORDS,
        examples=[["space", "music"]],
        json_schema_extra=entries(LABELS, of=LABEL),
    )


@router.post("/children", **documented(404, 409, 410, success=201))
def register_child(body: Registration, request: CommandRequest) -> RegisterChild:
    """Register a child and its bear."""
    caller = request.context.principal
    given = dict(body) | {"consents": tuple(Consent(**dict(each)) for each in body.consents)}
    if body.parent_id is None:
        given["parent_id"] = caller.subject if caller.role is Role.PARENT else ""
    return RegisterChild(child_id=request.id_for("child"), at=request.at, **given)


@router.patch("/children/{child_id}/profile", **documented(404, 409, 410))
def update_child_profile(
    child_id: ChildId, body: ProfileChanges, request: CommandRequest
) -> UpdateChildProfile:
    """Change what the body names; values equal to today's change nothing."""
    given = {field: getattr(body, field) for field in body.model_fields_set}
    return UpdateChildProfile(child_id=child_id, at=request.at, **given)
