"""/v1/children/{child_id}: what a family may take with it. An export, the receipt of an erasure."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from query_service.api.asking import (
    FRESHNESS,
    QUERY_HEADERS,
    UNCHANGED,
    Asking,
    freshness_of,
    headers_taken,
)
from query_service.api.bounds import Characters
from query_service.api.exports import JSON_LINES, Exports, ExportStream, gzipped, takes_gzip
from query_service.api.parameters import Parameters
from query_service.queries.export_child import ExportChild
from query_service.queries.export_cursor import LONGEST
from query_service.queries.export_records import ExportLine
from query_service.queries.get_erasure_receipt import ErasureReceipt, GetErasureReceipt
from shared.auth.principal import Principal
from shared.http.callers import Caller
from shared.http.path_ids import ChildId
from shared.http.problems import problem_responses
from shared.http.query_parameters import StrictRoute

PROBLEMS = problem_responses(401, 403, 404, 429, 503)
OF_AN_EXPORT = headers_taken(("Accept-Encoding", "`gzip`: the lines are compressed as they come."))
LINES: dict[int | str, dict[str, Any]] = {
    200: {"headers": FRESHNESS, "description": "One record a line."}
}


class JsonLines(JSONResponse):
    """What the OpenAPI document says of the answer, which is streamed."""

    media_type = JSON_LINES


class Continued(Parameters):
    cursor: Annotated[str, Characters(0, LONGEST)] | None = Field(
        None, description="Of the last `progress` line that arrived: the lines that follow it."
    )


def records_router(asking: Asking, caller: Caller, exports: Exports) -> APIRouter:
    router = APIRouter(
        prefix="/v1/children", tags=["records"], responses=PROBLEMS, route_class=StrictRoute
    )
    Asker = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type

    @router.get(
        "/{child_id}/erasure-receipt",
        response_model=ErasureReceipt,
        responses=UNCHANGED,
        openapi_extra=QUERY_HEADERS,
    )
    async def get_erasure_receipt(request: Request, asker: Asker, child_id: ChildId) -> Response:
        """The signed proof of what was removed of an erased child, and what stays."""
        return await asking.answer(request, asker, GetErasureReceipt(child_id))

    @router.get(
        "/{child_id}/export",
        response_class=JsonLines,
        response_model=ExportLine,
        responses=LINES,
        openapi_extra=OF_AN_EXPORT,
    )
    async def export_child(
        request: Request, asker: Asker, child_id: ChildId, continued: Annotated[Continued, Query()]
    ) -> ExportStream:
        """All that is stored about a child, for its family to take along: JSON Lines, one record a
        line, the last of kind `end`. Without that one something is missing: ask for the rest with
        the `cursor` of the last `progress` line, and drop what came behind it."""
        begun = await asking.result(request, asker, ExportChild(child_id))
        with exports.place_for(asker, child_id) as place:
            start = await exports.exporter.start(child_id, continued.cursor)
        header = None if continued.cursor else begun.rendered.body
        body = exports.lines(child_id, header, start, request.state.grant)
        headers = _headers(child_id, freshness_of(begun))
        if takes_gzip(",".join(request.headers.getlist("Accept-Encoding"))):
            body, headers = gzipped(body), {**headers, "Content-Encoding": "gzip"}
        return ExportStream(body, place, headers, exports.reader_seconds)

    return router


def _headers(child_id: str, freshness: dict[str, str]) -> dict[str, str]:
    return {
        **freshness,
        "X-Cache": "miss",
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="child-{child_id}.jsonl"',
        "Vary": "Accept-Encoding",
        "X-Accel-Buffering": "no",  # a proxy would hold back what is to come as it is written
    }
