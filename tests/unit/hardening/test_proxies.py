"""Whom the audit trail names as the caller's address: what trusted proxies say, and nobody else."""

from typing import Any

import httpx2
import pytest

from shared.http.request_context import networks_of, with_callers_address

TRUSTED = networks_of("10.0.0.0/8, 2001:db8::7")


async def seen(peer: str, *forwarded: str) -> str:
    """The address that the application sees."""
    clients: list[Any] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        clients.append(with_callers_address(scope, TRUSTED)["client"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    transport = httpx2.ASGITransport(app, client=(peer, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
        await client.get("/", headers=[("X-Forwarded-For", value) for value in forwarded])
    return str(clients[0][0])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.1.2.3", (), "10.1.2.3"),
        ("10.1.2.3", ("192.0.2.9",), "192.0.2.9"),
        ("2001:db8::7", ("2001:DB8::99",), "2001:db8::99"),
        # through two proxies of ours
        ("10.1.2.3", ("192.0.2.9, 10.9.9.9",), "192.0.2.9"),
        ("10.1.2.3", ("192.0.2.9", "10.9.9.9"), "192.0.2.9"),
        # what the caller wrote itself stands before what our proxy saw
        ("10.1.2.3", ("198.51.100.1, 192.0.2.9",), "192.0.2.9"),
        ("10.1.2.3", ("10.0.0.1, 192.0.2.9",), "192.0.2.9"),
        # from anybody else it is ignored
        ("192.0.2.66", ("198.51.100.1",), "192.0.2.66"),
        ("testclient", ("198.51.100.1",), "testclient"),
        # no addresses
        ("10.1.2.3", ("unknown",), "10.1.2.3"),
        ("10.1.2.3", ("x" * 5_000,), "10.1.2.3"),
        ("10.1.2.3", ("192.0.2.9:443",), "10.1.2.3"),
        ("10.1.2.3", ("[/]", "192.0.2.9"), "192.0.2.9"),
        ("10.1.2.3", ("",), "10.1.2.3"),
        ("10.1.2.3", (",".join(["10.0.0.1"] * 2_000),), "10.0.0.1"),
    ],
)
async def test_the_address_is_the_last_that_no_proxy_of_ours_has(
    peer: str, forwarded: tuple[str, ...], address: str
) -> None:
    assert await seen(peer, *forwarded) == address
