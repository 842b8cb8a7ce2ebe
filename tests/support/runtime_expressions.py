"""Runtime expressions of OpenAPI links, as far as the documents use them, on a real exchange."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2


class Unresolved(AssertionError):
    """The expression names nothing in this exchange."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request's path parameters and its answer."""

    path_parameters: Mapping[str, str]
    answer: httpx2.Response

    def resolve(self, expression: str) -> str:
        """Raises Unresolved, also for an expression of another kind."""
        for prefix, find in (
            ("$response.body#/", self._in_body),
            ("$response.header.", self.answer.headers.get),
            ("$request.path.", self.path_parameters.get),
        ):
            if expression.startswith(prefix):
                found = find(expression.removeprefix(prefix))
                if isinstance(found, str):
                    return found
        raise Unresolved(expression)

    def _in_body(self, pointer: str) -> Any:
        place: Any = self.answer.json()
        for step in pointer.split("/"):
            try:
                place = place[int(step) if isinstance(place, list) else step]
            except (KeyError, IndexError, TypeError, ValueError):
                raise Unresolved(pointer) from None
        return place
