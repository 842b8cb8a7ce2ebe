"""Every route of an application, with a request for it made from its documented examples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from shared.auth.access import operation_of

OPERATORS = frozenset({"live", "ready", "metrics"})
DOCUMENTATION = frozenset({"openapi", "page"})
OPEN_TO_ALL = OPERATORS | DOCUMENTATION
"""The names of the only routes that ask for no token."""


@dataclass(frozen=True, slots=True)
class Route:
    """`body` is the documented example; None where the route takes none. `texts`: the fields of the
    body in which a caller may write what it likes."""

    name: str
    method: str
    path: str
    body: dict[str, Any] | None
    texts: frozenset[str] = frozenset()

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
        schemas = {} if body is None else _schemas(body.field_info.annotation)
        example = None if body is None else _example(schemas)
        texts = frozenset(name for name, schema in schemas.items() if _is_free_text(schema))
        for method in sorted((each.methods or set()) - {"HEAD"}):
            yield Route(each.name, method, each.path, example, texts)


def guarded(app: FastAPI) -> list[Route]:
    return [route for route in routes_of(app) if route.name not in OPEN_TO_ALL]


def operation_at(routes: Sequence[Route], method: str, path: str) -> str:
    """Which operation a request was for. Raises StopIteration for one of no route."""
    return next(
        route.operation
        for route in routes
        if route.method == method and compile_path(route.path)[0].match(path)
    )


def _schemas(model: Any) -> dict[str, Any]:
    schemas: dict[str, Any] = model.model_json_schema()["properties"]
    return schemas


def _example(schemas: dict[str, Any]) -> dict[str, Any]:
    return {name: schema["examples"][0] for name, schema in schemas.items() if "examples" in schema}


def _is_free_text(schema: dict[str, Any]) -> bool:
    return any("maxLength" in each for each in (schema, *schema.get("anyOf", ())))
