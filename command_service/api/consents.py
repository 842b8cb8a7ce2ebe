"""/children/{child_id}/consents: what the parent consents to."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from command_service.api.command_route import CommandRequest, CommandRoute
from command_service.api.openapi import documented, sized
from command_service.child.commands import GiveConsent, WithdrawConsent
from command_service.child.field_checks import NOTICE_VERSION
from shared.events.child import ConsentMethod, ConsentPurpose
from shared.http.bodies import RequestBody
from shared.http.problems import FieldProblem, ProblemRaised, invalid_request
from shared.http.request_checks import ChildId

router = APIRouter(route_class=CommandRoute, tags=["consents"])

Purpose = Annotated[ConsentPurpose, Path(description="What the parent consents to.")]


class ConsentBody(RequestBody):
    notice_version: str = Field(
        description="Version of the privacy notice that the parent was shown.",
        examples=["2026-11"],
        json_schema_extra=sized(NOTICE_VERSION),
    )
    method: ConsentMethod = Field(
        description="How the parent's identity was verified.", examples=["signed_form"]
    )


@router.put("/children/{child_id}/consents/{purpose}", **documented(404, 409, 410))
def give_consent(
    child_id: ChildId, purpose: Purpose, body: ConsentBody, request: CommandRequest
) -> GiveConsent:
    """Record that the parent consents; `account` first, the other purposes rest on it."""
    return GiveConsent(child_id=child_id, at=request.at, purpose=_known(purpose), **dict(body))


@router.delete("/children/{child_id}/consents/{purpose}", **documented(404, 410))
def withdraw_consent(
    child_id: ChildId, purpose: Purpose, request: CommandRequest
) -> WithdrawConsent:
    """Withdraw consent; from `account`, all of it. May be repeated. Nothing is erased by it."""
    return WithdrawConsent(child_id=child_id, at=request.at, purpose=_known(purpose))


def _known(purpose: str) -> ConsentPurpose:
    """Raises the problem 422: path parameters come as the text that they are."""
    try:
        return ConsentPurpose(purpose)
    except ValueError:
        limit = ", ".join(ConsentPurpose)
        wrong = FieldProblem("purpose", f"must be one of {limit}", limit)
        unknown = invalid_request("The path contains an unknown purpose.", wrong)
        raise ProblemRaised(unknown) from None
