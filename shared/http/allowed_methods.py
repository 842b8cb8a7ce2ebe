"""The methods of a resource, over all of its routes: the router itself names only one route's."""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path


def allowed_methods(app: FastAPI, path: str) -> str:
    """The value of `Allow` for `path`, e.g. `DELETE, GET, HEAD`."""
    methods: set[str] = set()
    for route in iter_route_contexts(app.routes):
        if route.path and compile_path(route.path)[0].match(path):
            methods |= route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")  # by shared/http/head_requests.py
    return ", ".join(sorted(methods))
