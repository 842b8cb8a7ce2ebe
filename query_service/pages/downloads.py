"""What a parent takes along as a file; what is refused is a page, and no file."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from query_service.pages.inner_api import OK, Asked, Collected
from query_service.pages.rendering import HEADERS
from query_service.pages.sessions import Session
from query_service.pages.site import Site


class Export(Response):
    """The API's answer to `wanted`, line by line as it comes."""

    def __init__(self, site: Site, request: Request, session: Session, wanted: Asked) -> None:
        super().__init__()
        self._site = site
        self._request = request
        self._session = session
        self._wanted = wanted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: Collected | None = None

        async def pass_on(message: Message) -> None:
            nonlocal refusal
            if message["type"] == "http.response.start":
                if message["status"] != OK:
                    refusal = Collected()
                else:
                    message = {**message, "headers": _as_a_page(message["headers"])}
            await (send if refusal is None else refusal.take)(message)

        token = self._session.token
        await self._site.api.stream(self._request, token, self._wanted, receive, pass_on)
        if refusal is not None:
            page = self._site.refused(self._request, refusal.collected())
            if page is not None:
                await page(scope, receive, send)


def json_file(name: str, content: object) -> Response:
    """An answer of the API, to keep."""
    return Response(
        orjson.dumps(content, option=orjson.OPT_INDENT_2),
        headers=HEADERS | {"Content-Disposition": f'attachment; filename="{name}.json"'},
        media_type="application/json",
    )


def _as_a_page(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """With the headers that every page has, instead of the API's own."""
    ours = {name.lower().encode(): value.encode() for name, value in HEADERS.items()}
    return [*(line for line in headers if line[0].lower() not in ours), *ours.items()]
