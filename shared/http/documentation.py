"""The API's documentation as one page of plain HTML: no script, nothing from elsewhere."""

from collections.abc import Callable
from functools import cache
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse

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
