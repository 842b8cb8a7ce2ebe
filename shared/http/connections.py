"""At most so many open connections: also one that sends nothing costs memory and a file."""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"retry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


def bounded_protocol(max_connections: int) -> type[HttpToolsProtocol]:
    """uvicorn's HTTP protocol that turns away connections above `max_connections`.

    Not uvicorn's limit_concurrency: that looks only when a request comes, so that silent
    connections pile up, and its refusal does not say when to come back.
    """

    class BoundedProtocol(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted = cast(asyncio.Transport, transport)  # as the base class takes it
            if len(self.connections) < max_connections:
                super().connection_made(accepted)
                return
            self.transport = accepted
            accepted.write(REFUSAL)
            accepted.close()

    return BoundedProtocol
