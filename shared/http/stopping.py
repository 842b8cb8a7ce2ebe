"""How connections end: an application that stops, a caller that reads nothing of its answer."""

from fastapi import FastAPI
from starlette.types import Scope


def begin_stopping(app: FastAPI) -> None:
    app.state.stopping = True


def is_stopping(app: FastAPI) -> bool:
    return bool(getattr(app.state, "stopping", False))


HANG_UP = "hang_up"


def hang_up(scope: Scope) -> bool:
    """Close the request's connection at once, whatever was to be sent yet.

    The server puts a function into the state of the request; where there is none, as in tests
    within a process, nothing is done, and it is False."""
    hanging_up = scope.get("state", {}).get(HANG_UP)
    if hanging_up is None:
        return False
    hanging_up()
    return True
