"""The end of a child account, its return, and the erasure of what is personal."""

from fastapi import APIRouter
from pydantic import Field

from command_service.api.command_route import CommandRequest, CommandRoute
from command_service.api.openapi import documented, sized
from command_service.child.commands import DeactivateChild, EraseChild, ReactivateChild
from command_service.child.field_checks import REASON
from shared.http.bodies import RequestBody
from shared.http.request_checks import ChildId

router = APIRouter(route_class=CommandRoute, tags=["lifecycle"])


class Deactivation(RequestBody):
    reason: str = Field(
        description="The reason, for the child's history.",
        examples=["The bear was given away."],
        json_schema_extra=sized(REASON),
    )


@router.post("/children/{child_id}/deactivation", **documented(404, 409, 410))
def deactivate_child(
    child_id: ChildId, body: Deactivation, request: CommandRequest
) -> DeactivateChild:
    """Deactivate a child; its bear is free for another."""
    return DeactivateChild(child_id=child_id, at=request.at, reason=body.reason)


@router.post("/children/{child_id}/reactivation", **documented(404, 409, 410))
def reactivate_child(child_id: ChildId, request: CommandRequest) -> ReactivateChild:
    """Reactivate a child, unless its bear belongs to another by now."""
    return ReactivateChild(child_id=child_id, at=request.at)


@router.delete("/children/{child_id}/personal-data", **documented(404))
def erase_child(child_id: ChildId, request: CommandRequest) -> EraseChild:
    """Destroy the child's key: nothing personal can be read again. May be repeated."""
    return EraseChild(child_id=child_id, at=request.at)
