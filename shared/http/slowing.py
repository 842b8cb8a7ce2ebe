"""Who is refused because of what it takes already is heard more slowly, on that connection."""

from starlette.types import Scope

SLOW_DOWN = "slow_down"


def slow_down(scope: Scope) -> None:
    """The server reads the connection's next request a while after the answer to this one.

    The server puts a function into the state of the request; where there is none, as behind a
    trusted proxy, nothing is done."""
    slowing = scope.get("state", {}).get(SLOW_DOWN)
    if slowing is not None:
        slowing()
