"""Routes that are reached without the framework's router, and handle their requests themselves."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Receive, Scope

Handle = Callable[[Request], Awaitable[Response]]
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]
Places = tuple[int, ...]
"""Of the parameters among a path's segments."""


class Sent(Response):
    """An answer whose headers are as they are sent: names in lower case, its length among them,
    and nothing that came with a request."""

    def __init__(self, status: int, lines: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
        self.status_code, self.raw_headers, self.body = status, lines, body
        self.background = None


class DirectRoute(APIRoute):
    """A route whose `get_route_handler` needs nothing of FastAPI: it verifies the caller and reads
    the request itself, and the endpoint's signature is for the documentation only. So the router,
    the stacks of dependencies and the wrappers for errors can be passed by, and it answers the same
    with and without them."""


@dataclass(frozen=True, slots=True)
class Target:
    """A route as a request finds it. `names`: of the parameters, in the order of their places."""

    route: DirectRoute
    handle: Handle
    names: tuple[str, ...]


Found = tuple[Target, tuple[tuple[str, str], ...]]
"""With the parameters by name."""

REMEMBERED_PATHS = 4_096


class DirectRoutes:
    """The direct routes of `app` by method and path. What is not found here, the router knows:
    other routes, and what to answer where there is none."""

    def __init__(self, app: FastAPI) -> None:
        self._targets: dict[tuple[str, int], dict[Places, dict[str, Target]]] = {}
        self._found = lru_cache(REMEMBERED_PATHS)(self._look)
        for each in iter_route_contexts(app.routes):
            route = each.original_route
            if isinstance(route, DirectRoute) and each.path is not None:
                for method in each.methods or ():
                    self._add(method, each.path, route)

    def _add(self, method: str, path: str, route: DirectRoute) -> None:
        segments = path.split("/")
        places = tuple(at for at, segment in enumerate(segments) if segment.startswith("{"))
        names = tuple(segments[at].strip("{}") for at in places)
        by_places = self._targets.setdefault((method, len(segments)), {})
        target = Target(route, route.get_route_handler(), names)
        by_places.setdefault(places, {}).setdefault(_shape(segments, places), target)

    def find(self, scope: Scope) -> Target | None:
        """The route of this request, with its parameters in `scope` as the router puts them there;
        None where there is no direct one."""
        found = self._found(scope["method"], scope["path"])
        if found is None:
            return None
        target, parameters = found
        scope["route"], scope["endpoint"] = target.route, target.route.endpoint
        scope["path_params"] = dict(parameters)
        return target

    def _look(self, method: str, path: str) -> Found | None:
        segments = path.split("/")
        for places, targets in self._targets.get((method, len(segments)), {}).items():
            target = targets.get(_shape(segments, places))
            values = [segments[at] for at in places]
            if target is not None and all(values):
                return target, tuple(zip(target.names, values, strict=True))
        return None


def _shape(segments: Sequence[str], places: Places) -> str:
    """The path without its parameters."""
    shape = list(segments)
    for at in places:
        shape[at] = ""
    return "/".join(shape)


def _handler_of(app: FastAPI, error: Exception) -> ErrorHandler | None:
    """What answers `error`, by the nearest of its classes; None for one that nobody foresaw."""
    for kind in type(error).__mro__:
        if kind is Exception:
            break
        if kind in app.exception_handlers:
            return cast(ErrorHandler, app.exception_handlers[kind])
    return None


async def answer_of(target: Target, scope: Scope, receive: Receive) -> Response:
    """As the framework has it: an error that has a handler is answered, any other is raised."""
    request = Request(scope, receive)
    try:
        return await target.handle(request)
    except Exception as error:
        answer = _handler_of(request.app, error)
        if answer is None:
            raise
        response = await answer(request, error)
        error.__traceback__ = None  # of one instance for many requests it would grow
        return response
