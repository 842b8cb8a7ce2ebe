"""/children: registration, profile and consents; the end of a child account, its return, and the
erasure of what is personal."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field

from command_service.api.command_route import CommandRequest, CommandRoute, documented
from command_service.api.requests import (
    SUBJECT_OR_NULL,
    RequestBody,
    between,
    entries,
    optional,
    sized,
)
from command_service.child import limits
from command_service.child.commands import (
    Consent,
    DeactivateChild,
    EraseChild,
    GiveConsent,
    ReactivateChild,
    RegisterChild,
    UpdateChildProfile,
    WithdrawConsent,
)
from shared.auth.principal import Role
from shared.events.child import ConsentMethod, ConsentPurpose
from shared.http.path_ids import ChildId
from shared.http.problems import FieldProblem, Problem, ProblemRaised

router = APIRouter(route_class=CommandRoute, tags=["children"])
consents = APIRouter(route_class=CommandRoute, tags=["consents"])
lifecycle = APIRouter(route_class=CommandRoute, tags=["lifecycle"])

CONSENT = {"notice_version": "2026-11", "method": "signed_form"}
EXAMPLE_PREFERENCES = {"bedtime_stories": True, "favourite": {"colour": "green"}}
IN_THEIR_WORDS = "Free text by the parent. Needs consent to `personalization`."

Purpose = Annotated[ConsentPurpose, Path(description="What the parent consents to.")]
DeviceId = Annotated[
    str | None,
    Field(
        description="The subject of the bear's token: a caller with role `device` and this "
        "subject is the child's bear while the child is active. It is unique "
        "among active children, ignoring case. null: no bear may act for the "
        "child.",
        examples=["bear-device-42"],
        json_schema_extra=SUBJECT_OR_NULL,
    ),
]
Preferences = Annotated[
    dict[str, Any] | None,
    Field(
        description=f"{limits.PREFERENCES_LIMIT}. Needs consent to `personalization`.",
        examples=[EXAMPLE_PREFERENCES],
    ),
]
LearningStyle = Annotated[
    str | None,
    Field(
        description=IN_THEIR_WORDS, examples=["visual"], json_schema_extra=optional(limits.LABEL)
    ),
]


class ConsentBody(RequestBody):
    notice_version: str = Field(
        description="Version of the privacy notice that the parent was shown.",
        examples=["2026-11"],
        json_schema_extra=sized(limits.NOTICE_VERSION),
    )
    method: ConsentMethod = Field(
        description="How the parent's identity was verified.", examples=["signed_form"]
    )


class RegistrationConsent(ConsentBody):
    purpose: ConsentPurpose = Field(
        description="What the parent consents to.", examples=["account"]
    )

    def consent(self) -> Consent:
        return Consent(self.purpose, self.notice_version, self.method)


class Registration(RequestBody):
    name: str = Field(
        description="The child's name: visible characters, counted without leading and "
        "trailing spaces.",
        examples=["Ada"],
        json_schema_extra=sized(limits.NAME),
    )
    age: int = Field(
        description="In whole years.", examples=[7], json_schema_extra=between(limits.AGE)
    )
    udid: str = Field(
        description="The bear's unique number, case-insensitive. A bear belongs to one "
        "active child.",
        examples=["TEDDY-0000-0042"],
        json_schema_extra={"pattern": f"^{limits.UDID_PATTERN}$"},
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
        json_schema_extra=entries(limits.LABELS, of=limits.LABEL),
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
        json_schema_extra=sized(limits.NAME),
    )
    age: int = Field(
        default_factory=int,
        description="In whole years.",
        examples=[8],
        json_schema_extra=between(limits.AGE),
    )
    device_id: DeviceId = None
    preferences: Preferences = None
    learning_style: LearningStyle = None
    interests: tuple[str, ...] | None = Field(
        None,
        description=IN_THEIR_WORDS,
        examples=[["space", "music"]],
        json_schema_extra=entries(limits.LABELS, of=limits.LABEL),
    )


@router.post("/children", **documented(404, 409, 410, success=201))
def register_child(body: Registration, request: CommandRequest) -> RegisterChild:
    """Register a child and its bear."""
    caller = request.context.principal
    own_id = caller.subject if caller.role is Role.PARENT else ""
    return RegisterChild(
        child_id=request.id_for("child"),
        at=request.at,
        parent_id=own_id if body.parent_id is None else body.parent_id,
        name=body.name,
        age=body.age,
        udid=body.udid,
        device_id=body.device_id,
        preferences=body.preferences,
        learning_style=body.learning_style,
        interests=body.interests,
        consents=tuple(each.consent() for each in body.consents),
    )


@router.patch("/children/{child_id}/profile", **documented(404, 409, 410))
def update_child_profile(
    child_id: ChildId, body: ProfileChanges, request: CommandRequest
) -> UpdateChildProfile:
    """Change what the body names; values equal to today's change nothing."""
    given = {field: getattr(body, field) for field in body.model_fields_set}
    return UpdateChildProfile(child_id=child_id, at=request.at, **given)


@consents.put("/children/{child_id}/consents/{purpose}", **documented(404, 409, 410))
def give_consent(
    child_id: ChildId, purpose: Purpose, body: ConsentBody, request: CommandRequest
) -> GiveConsent:
    """Record that the parent consents; `account` first, the other purposes rest on it."""
    return GiveConsent(
        child_id=child_id,
        at=request.at,
        purpose=_known(purpose),
        notice_version=body.notice_version,
        method=body.method,
    )


@consents.delete("/children/{child_id}/consents/{purpose}", **documented(404, 410))
def withdraw_consent(
    child_id: ChildId, purpose: Purpose, request: CommandRequest
) -> WithdrawConsent:
    """Withdraw consent; from `account`, all of it. May be repeated. Nothing is erased by it."""
    return WithdrawConsent(child_id=child_id, at=request.at, purpose=_known(purpose))


class Deactivation(RequestBody):
    reason: str = Field(
        description="The reason, for the child's history.",
        examples=["The bear was given away."],
        json_schema_extra=sized(limits.REASON),
    )


@lifecycle.post("/children/{child_id}/deactivation", **documented(404, 409, 410))
def deactivate_child(
    child_id: ChildId, body: Deactivation, request: CommandRequest
) -> DeactivateChild:
    """Deactivate a child; its bear is free for another."""
    return DeactivateChild(child_id=child_id, at=request.at, reason=body.reason)


@lifecycle.post("/children/{child_id}/reactivation", **documented(404, 409, 410))
def reactivate_child(child_id: ChildId, request: CommandRequest) -> ReactivateChild:
    """Reactivate a child, unless its bear belongs to another by now."""
    return ReactivateChild(child_id=child_id, at=request.at)


@lifecycle.delete("/children/{child_id}/personal-data", **documented(404))
def erase_child(child_id: ChildId, request: CommandRequest) -> EraseChild:
    """Destroy the child's key: nothing personal can be read again. May be repeated."""
    return EraseChild(child_id=child_id, at=request.at)


def _known(purpose: str) -> ConsentPurpose:
    """Raises the problem 422: path parameters come as the text that they are."""
    try:
        return ConsentPurpose(purpose)
    except ValueError:
        limit = ", ".join(ConsentPurpose)
        wrong = FieldProblem("purpose", f"must be one of {limit}", limit)
        detail = "The path contains an unknown purpose."
        raise ProblemRaised(
            Problem(422, "invalid-request", "Invalid request", detail, [wrong])
        ) from None
