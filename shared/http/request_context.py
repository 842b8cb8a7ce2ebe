"""Where a request comes from: its caller's address, also behind proxies that the operator named,
and the id that its events, logs and errors carry.

The id stands there in clear and stays when a child is erased. So a caller's id counts only in a
form that holds no words: a UUID (RFC 9562) or a trace id (W3C Trace Context, 32 hexadecimal
digits). Any other is replaced, never refused: a proxy's odd id must not silence a safety report.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import structlog
from fastapi import Request
from starlette.types import Scope

from shared.clock import NewId

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def networks_of(text: str) -> tuple[Network, ...]:
    """`10.0.0.7, 192.168.0.0/16`. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def address_of(text: str) -> Address | None:
    """None when it is no address."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_within(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


REMEMBERED_SITES = 4_096
IPV6_SITE_BITS = 64
"""What one customer of a provider has at least (RFC 6177): each of its addresses is free to use."""


@lru_cache(REMEMBERED_SITES)
def site_of(text: str) -> str:
    """Whom an address counts for: an IPv4 address for itself, IPv6 for its network of 64 bits, an
    IPv4 address written as IPv6 as what it is; what is no address, as it stands."""
    address = address_of(text)
    if not isinstance(address, IPv6Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), IPV6_SITE_BITS), strict=False))


FORWARDED_FOR = b"x-forwarded-for"
MOST_HOPS = 16


def with_callers_address(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """`scope` with the caller's own address as its `client`: what a trusted proxy says, and nobody
    else. Each proxy appends the address that it was called from, so the list is read from its end,
    up to the first address that is no trusted proxy; what stands before that, anybody wrote."""
    peer = scope.get("client")
    forwarded = header_values(scope, FORWARDED_FOR)
    if not peer or not forwarded or not is_within(address_of(peer[0]), trusted):
        return scope
    caller = caller_of(",".join(forwarded), trusted)
    return {**scope, "client": (caller or peer[0], 0)}


def caller_of(forwarded: str, trusted: Sequence[Network]) -> str | None:
    """The caller by the whole `X-Forwarded-For`; None where a proxy's own entry is no address."""
    address = None
    for hop in reversed(forwarded.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
        address = address_of(hop.strip())
        if not is_within(address, trusted):
            break
    return None if address is None else str(address)


CORRELATION = "Correlation-Id"
TRACEPARENT = "traceparent"
_CORRELATION, _TRACEPARENT_NAME = CORRELATION.lower().encode(), TRACEPARENT.encode()
_ACCEPTED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})"
    r"-(?P<trace>(?!0{32})[0-9a-f]{32})"
    r"-(?P<parent>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_NOTHING = frozenset("0-")
_KNOWN_FLAGS = 0b11
"""Sampled, and random trace id."""

PARAMETERS: tuple[dict[str, Any], ...] = (
    {
        "name": CORRELATION,
        "in": "header",
        "description": "Identifies the request: a UUID, or a W3C trace id (32 hexadecimal "
        "digits). Any other value is replaced by a new UUID.",
        "schema": {"type": "string"},
        "example": "7c0ff8a3-5a63-4d0e-9d3c-0f7c8e3f5a11",
    },
    {
        "name": TRACEPARENT,
        "in": "header",
        "description": "W3C Trace Context; ignored unless valid.",
        "schema": {"type": "string"},
        "example": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
)
ANSWERED: dict[str, Any] = {
    "description": "The id of the request in logs, events and the audit trail: the caller's "
    "in lower case, or a new UUID.",
    "schema": {"type": "string", "pattern": f"^({_ACCEPTED.pattern})$"},
}


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Of every header called `name`, in lower case; without an object for the rest of them."""
    values = []
    for key, value in scope["headers"]:  # there is usually none, and a comprehension is a call
        if key == name:
            values.append(value.decode("latin-1"))
    return values


def correlate(scope: Scope, new_id: NewId) -> str:
    """The request's id: the caller's `Correlation-Id`, or a new one. From now on the request's
    state and the logs know it, and its state the `traceparent`."""
    correlation_id = accepted_id(header_values(scope, _CORRELATION)) or new_id()
    state = scope.setdefault("state", {})
    state["correlation_id"] = correlation_id
    state["traceparent"] = accepted_traceparent(header_values(scope, _TRACEPARENT_NAME))
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
    return correlation_id


def describe_correlation(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document what each operation takes and answers of it."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.setdefault("parameters", []).extend(PARAMETERS)
            for response in operation["responses"].values():
                response["headers"] = {**response.get("headers", {}), CORRELATION: ANSWERED}


def accepted_id(offered: Sequence[str]) -> str | None:
    """The id that a request's `Correlation-Id` headers offer, in lower case. None where it is no
    UUID or trace id, is all zeros, or there is not one header."""
    lower = offered[0].lower() if len(offered) == 1 else ""
    is_one = _ACCEPTED.fullmatch(lower) and not _NOTHING.issuperset(lower)
    return lower if is_one else None


def accepted_traceparent(offered: Sequence[str]) -> str | None:
    """What a request's `traceparent` headers offer, as version 00 writes it. None where there is
    not one, or it is not valid by W3C Trace Context. Of a version to come only the fields are taken
    that version 00 has: what follows them is anybody's text."""
    found = _TRACEPARENT.fullmatch(offered[0]) if len(offered) == 1 else None
    if found is None or (found["version"] == "00" and found["more"] is not None):
        return None
    flags = int(found["flags"], 16) & _KNOWN_FLAGS
    return f"00-{found['trace']}-{found['parent']}-{flags:02x}"


def correlation_id_of(request: Request) -> str:
    return str(getattr(request.state, "correlation_id", ""))


def traceparent_of(request: Request) -> str | None:
    traceparent: str | None = getattr(request.state, "traceparent", None)
    return traceparent
