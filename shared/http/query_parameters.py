"""Routes without query parameters refuse them, instead of leaving them unread."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.routing import APIRoute

from shared.http.problems import UNKNOWN_PARAMETER, FieldProblem, Problem, ProblemRaised


class StrictRoute(APIRoute):
    """A route that takes the parameters it declares. A model of parameters forbids others itself;
    this refuses any where none are declared."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.dependant.query_params:
            return handle

        async def without_parameters(request: Request) -> Response:
            refuse_parameters(request)
            return await handle(request)

        return without_parameters


def refuse_parameters(request: Request) -> None:
    """Raises the problem 422 that names every query parameter."""
    query: bytes = request.scope["query_string"]
    if not query:
        return
    names = {name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
    problems = [FieldProblem(name, UNKNOWN_PARAMETER) for name in sorted(names)]
    detail = "This resource takes no parameters."
    raise ProblemRaised(Problem(422, "invalid-request", "Invalid request", detail, problems))
