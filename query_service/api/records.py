"""/v1/children/{child_id}: what a family may take with it. An export, the receipt of an erasure."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from query_service.api.asking import QUERY_HEADERS, UNCHANGED, Asking
from query_service.queries.export_child import ChildExport, ExportChild
from query_service.queries.get_erasure_receipt import ErasureReceipt, GetErasureReceipt
from shared.auth.principal import Principal
from shared.http.callers import Caller
from shared.http.path_ids import ChildId
from shared.http.problems import problem_responses
from shared.http.query_parameters import StrictRoute

PROBLEMS = {**UNCHANGED, **problem_responses(401, 403, 404, 429, 503)}


def records_router(asking: Asking, caller: Caller) -> APIRouter:
    router = APIRouter(
        prefix="/v1/children", tags=["records"], responses=PROBLEMS, route_class=StrictRoute
    )
    Asker = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type

    @router.get(
        "/{child_id}/erasure-receipt", response_model=ErasureReceipt, openapi_extra=QUERY_HEADERS
    )
    async def get_erasure_receipt(request: Request, asker: Asker, child_id: ChildId) -> Response:
        """The signed proof of what was removed of an erased child, and what stays."""
        return await asking.answer(request, asker, GetErasureReceipt(child_id))

    @router.get("/{child_id}/export", response_model=ChildExport, openapi_extra=QUERY_HEADERS)
    async def export_child(request: Request, asker: Asker, child_id: ChildId) -> Response:
        """All that is stored about a child, for its family to take along."""
        response = await asking.answer(request, asker, ExportChild(child_id))
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Disposition"] = f'attachment; filename="child-{child_id}.json"'
        return response

    return router
