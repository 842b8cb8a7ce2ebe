"""How whoever answers a request ends its connection."""

from starlette.types import Scope

HANG_UP = "hang_up"
"""In the state of a request, where the server put it: closes the connection."""


def hang_up(scope: Scope) -> bool:
    """Close the request's connection at once, whatever was to be sent yet.

    The server puts a function into the state of the request; where there is none, as in tests
    within a process, nothing is done, and it is False."""
    hanging_up = scope.get("state", {}).get(HANG_UP)
    if hanging_up is None:
        return False
    hanging_up()
    return True
