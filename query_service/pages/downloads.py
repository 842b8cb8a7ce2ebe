"""Answers of the API that are kept as files; what is refused is a page, and no file."""

from collections.abc import Awaitable, Callable

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from query_service.pages.rendering import HEADERS

PassOn = Callable[[Send], Awaitable[Response | None]]


class Download(Response):
    """What `pass_on` sends; the page that it returns where there is nothing to send."""

    def __init__(self, pass_on: PassOn) -> None:
        self._pass_on = pass_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = await self._pass_on(send)
        if page is not None:
            await page(scope, receive, send)


def json_file(name: str, content: object) -> Response:
    """An answer of the API, to keep."""
    return Response(
        orjson.dumps(content, option=orjson.OPT_INDENT_2),
        headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}.json"'},
        media_type="application/json",
    )
