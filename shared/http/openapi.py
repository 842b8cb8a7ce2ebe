"""What the OpenAPI documents of both APIs share: links, and a page to read them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse


@dataclass(frozen=True, slots=True)
class Link:
    """`name`: the operation that it leads to. `target`: its method and path. `parameters`: those of
    the target, each with a runtime expression (OpenAPI 3.1). `elsewhere`: the other API has it."""

    name: str
    target: str
    description: str
    parameters: Mapping[str, str]
    elsewhere: bool = False


Links = Mapping[str, Sequence[Link]]
"""Method and path of an operation to what follows its success."""


def install_links(app: FastAPI, links: Links, other_url: str | None = None) -> None:
    """Put `links` into the document of `app`. `other_url`: where clients reach the other API.

    A link names its target by method and path. One to the other API holds where clients reach that
    API; where nobody said, it is left out, as `Location` is.
    """
    extend_document(app, lambda document: _add(document, links, other_url))


def reference(target: str, api_url: str = "") -> str:
    """The `operationRef` of an operation: of this document, or of that which `api_url` serves."""
    method, path = target.split()
    document = f"{api_url}{OPENAPI_PATH}" if api_url else ""
    return f"{document}#/paths/{path.replace('~', '~0').replace('/', '~1')}/{method.lower()}"


def _add(document: dict[str, Any], links: Links, other_url: str | None) -> None:
    """Raises KeyError for an operation that the document has not, or that has no success."""
    for source, follow in links.items():
        method, path = source.split()
        responses = document["paths"][path][method.lower()]["responses"]
        success = next(status for status in responses if status.startswith("2"))
        responses[success]["links"] = {
            link.name: {
                "operationRef": reference(link.target, (other_url or "") if link.elsewhere else ""),
                "parameters": dict(link.parameters),
                "description": link.description,
            }
            for link in follow
            if not (link.elsewhere and other_url is None)
        }


OPENAPI_PATH, PAGE_PATH = "/openapi.json", "/docs"
_STYLE = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto}code{background:#eee}"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def install_documentation(app: FastAPI) -> None:
    """Serve `/openapi.json` and `/docs`. Make `app` without them: `FastAPI(openapi_url=None)`."""

    @app.get(OPENAPI_PATH, include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    @app.get(PAGE_PATH, include_in_schema=False)
    async def page() -> HTMLResponse:
        headers = {"Content-Security-Policy": _POLICY}
        return HTMLResponse(page_of(app.openapi()), headers=headers)


def extend_document(app: FastAPI, extend: Callable[[dict[str, Any]], None]) -> None:
    """Have `extend` change the OpenAPI document of `app` once, when it is first asked for."""
    describe = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        document = describe()
        extend(document)
        return document

    # so FastAPI has its document extended; to a type checker, methods are not to be assigned
    app.openapi = openapi  # type: ignore[method-assign]


def page_of(document: dict[str, Any]) -> str:
    """One section an operation: method, path, what it does, what it answers."""
    title = escape(document["info"]["title"])
    sections = "".join(
        _section(method.upper(), path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    intro = escape(document["info"].get("description", ""))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{intro}</p>"
        f'<p>For programs: <a href="{OPENAPI_PATH}">{OPENAPI_PATH}</a></p>{sections}</html>'
    )


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    text = escape(operation.get("description") or operation.get("summary", ""))
    parameters = ", ".join(escape(p["name"]) for p in operation.get("parameters", ()))
    answers = ", ".join(escape(status) for status in operation["responses"])
    taken = f"<p>Takes: {parameters}</p>" if parameters else ""
    heading = f"<h2><code>{method} {escape(path)}</code></h2>"
    return f"{heading}<p>{text}</p>{taken}<p>Answers: {answers}</p>"
