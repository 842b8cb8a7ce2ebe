"""HTTP to the OpenID provider: bounded, and to nowhere that somebody could read along."""

import ssl
from functools import cache

import httpx2

from shared.http.addresses import is_trustworthy

MOST_BYTES = 64 * 1_024
"""Of one answer: a discovery document, a key set or tokens."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """A connection for each request, which is https or does not leave this machine, whatever the
    provider's documents name; and an answer of at most `MOST_BYTES`, as it was sent."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2.RequestError."""
        if not is_trustworthy(str(request.url)):
            raise httpx2.UnsupportedProtocol("neither https nor loopback", request=request)
        async with httpx2.AsyncHTTPTransport(verify=_tls()) as transport:
            response = await transport.handle_async_request(request)
            try:
                return httpx2.Response(
                    response.status_code, headers=_plain(response), content=await _body(response)
                )
            finally:
                await response.aclose()


def _plain(response: httpx2.Response) -> httpx2.Headers:
    """The headers of an answer that is not compressed: it would be bounded only when it is read."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("compressed, which was not asked for")
    headers = response.headers.copy()
    headers.pop("transfer-encoding", None)
    return headers


async def _body(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise httpx2.ReadError(f"over {MOST_BYTES} bytes")
    return bytes(body)


@cache
def _tls() -> ssl.SSLContext:
    """Read once: it takes tens of milliseconds."""
    return httpx2.create_ssl_context()
