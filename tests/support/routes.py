"""Every route of an application, with a request for it made from its documented examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from shared.auth.access import operation_of

OPERATORS = frozenset({"live", "ready", "metrics"})
DOCUMENTATION = frozenset({"openapi", "page"})
OPEN_TO_ALL = OPERATORS | DOCUMENTATION
"""The names of the only routes that ask for no token."""


@dataclass(frozen=True, slots=True)
class Route:
    """`body` is the documented example; None where the route takes none."""

    name: str
    method: str
    path: str
    body: dict[str, Any] | None

    @property
    def operation(self) -> str:
        return operation_of(self.name)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(app: FastAPI) -> Iterator[Route]:
    """Raises AssertionError for what is no plain route: nothing is walked past unseen."""
    for each in iter_route_contexts(app.routes):
        assert each.name, f"a route of another kind: {each.original_route!r}"
        assert each.path, f"a route of another kind: {each.original_route!r}"
        body = getattr(each, "body_field", None)
        example = None if body is None else _example(body.field_info.annotation)
        for method in sorted((each.methods or set()) - {"HEAD"}):
            yield Route(each.name, method, each.path, example)


def guarded(app: FastAPI) -> list[Route]:
    return [route for route in routes_of(app) if route.name not in OPEN_TO_ALL]


def _example(model: Any) -> dict[str, Any]:
    properties = model.model_json_schema()["properties"]
    return {
        name: schema["examples"][0] for name, schema in properties.items() if "examples" in schema
    }
