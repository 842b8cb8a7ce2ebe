"""The address that a caller comes from, also behind proxies that the operator named."""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.networks import Network, address_of, is_within

FORWARDED_FOR = b"x-forwarded-for"
MOST_HOPS = 16


class CallersAddress:
    """Puts the caller's own address into `scope["client"]`: what a trusted proxy says, and nobody
    else. Each proxy appends the address that it was called from, so the list is read from its end,
    up to the first address that is no trusted proxy; what stands before that, anybody wrote."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = tuple(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if scope["type"] == "http" and peer:
            forwarded = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
            if forwarded and is_within(address_of(peer[0]), self._trusted):
                caller = caller_of(b",".join(forwarded).decode("latin-1"), self._trusted)
                scope = {**scope, "client": (caller or peer[0], 0)}
        await self._app(scope, receive, send)


def caller_of(forwarded: str, trusted: Sequence[Network]) -> str | None:
    """The caller by the whole `X-Forwarded-For`; None where a proxy's own entry is no address."""
    address = None
    for hop in reversed(forwarded.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
        address = address_of(hop.strip())
        if not is_within(address, trusted):
            break
    return None if address is None else str(address)


def install_callers_address(app: FastAPI, trusted: Sequence[Network]) -> None:
    """The outermost: everything behind it sees the caller's address."""
    app.add_middleware(CallersAddress, trusted=trusted)
