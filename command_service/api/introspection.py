"""/commands: what the command bus would do."""

from typing import Any

from fastapi import APIRouter, Request

from command_service.api.command_route import Edge
from command_service.middleware.authorization import allowed
from shared.http.problems import problem_responses

router = APIRouter(tags=["introspection"])


@router.get("/commands", responses=problem_responses(401, 403, 429, 503))
async def get_command_bus(request: Request) -> dict[str, Any]:
    """The bus's handlers and its middleware, outermost first. For administrators."""
    edge: Edge = request.app.state.edge
    allowed(request.state.principal, "GetCommandBus")
    bus = edge.bus
    handlers = [{"command": each.command, "handler": each.handler} for each in bus.handlers]
    return {"handlers": handlers, "middleware": bus.middleware, "health": bus.health()}
