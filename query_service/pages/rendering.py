"""From what the APIs answered to HTML."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from query_service.pages.languages import texts_for
from query_service.pages.texts import Texts
from shared.http.secure_headers import NOT_KEPT, OVER_TLS_ONLY, SECURE_HEADERS

PACKAGE = "query_service.pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    SECURE_HEADERS
    | NOT_KEPT
    | {"Content-Security-Policy": POLICY, "Cross-Origin-Opener-Policy": "same-origin"}
)
"""Nothing from outside, nothing inline, nothing kept, in nobody's frame."""

FOR_A_YEAR = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
DIGEST_CHARACTERS = 16


def led_to(path: str) -> RedirectResponse:
    """After a form, or instead of a page: the browser asks for `path`."""
    return RedirectResponse(path, 303, headers=HEADERS)


class Assets:
    """Style sheets, scripts and pictures, each under the digest of its content."""

    def __init__(self) -> None:
        folder = files(PACKAGE).joinpath("assets")
        self._contents = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
        self._digests = {
            name: hashlib.sha256(content).hexdigest()[:DIGEST_CHARACTERS]
            for name, content in self._contents.items()
        }

    def url(self, name: str) -> str:
        return f"/assets/{self._digests[name]}/{name}"

    def answer(self, digest: str, name: str) -> Response | None:
        """None where there is no such content, e.g. of another release."""
        if self._digests.get(name) != digest:
            return None
        media_type = TYPES[name.rpartition(".")[2]]
        return Response(self._contents[name], headers=FOR_A_YEAR, media_type=media_type)


class Renderer:
    """`behind_tls`: browsers are asked to come back by HTTPS only."""

    def __init__(self, *, behind_tls: bool) -> None:
        self.assets = Assets()
        self._headers = HEADERS | (OVER_TLS_ONLY if behind_tls else {})

    @cached_property
    def _templates(self) -> Environment:
        """Everything that is filled in is escaped; a name that nobody gave is an error."""
        environment = Environment(
            loader=PackageLoader(PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["asset"] = self.assets.url
        return environment

    def page(
        self, request: Request, template: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        texts = texts_for(request.headers.get("accept-language", ""))
        values = {"t": texts, "moment": _moments(texts), "signed_in": None} | values
        content = self._templates.get_template(template).render(values)
        return HTMLResponse(content, status, headers=dict(self._headers))

    def error(
        self, request: Request, status: int, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A page that says what is wrong in words; the texts know the statuses."""
        response = self.page(request, "error.html", status, code=status)
        response.headers.update(headers or {})
        return response


def _moments(texts: Texts) -> Any:
    """A filter: a time of the API as an element that scripts may put into the reader's own zone."""

    def moment(iso: str | None) -> Markup | str:
        if iso is None:
            return texts.never
        at = datetime.fromisoformat(iso).astimezone(UTC)
        date = texts.date.format(day=at.day, month=texts.months[at.month - 1], year=at.year)
        return Markup('<time datetime="{}">{}, {:%H:%M} UTC</time>').format(iso, date, at)

    return moment
