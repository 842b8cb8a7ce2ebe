"""Links of an OpenAPI document: what can be asked next with what an operation answered.

A link names its target by method and path. One to the other API holds where clients reach that API;
where nobody said, it is left out, as `Location` is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from shared.http.documentation import OPENAPI_PATH, extend_document


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
    """Put `links` into the document of `app`. `other_url`: where clients reach the other API."""
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
        responses[success]["links"] = dict(_documented(follow, other_url))


def _documented(links: Sequence[Link], other_url: str | None) -> Iterator[tuple[str, Any]]:
    for link in links:
        if link.elsewhere and other_url is None:
            continue
        at = other_url if link.elsewhere and other_url else ""
        yield (
            link.name,
            {
                "operationRef": reference(link.target, at),
                "parameters": dict(link.parameters),
                "description": link.description,
            },
        )
