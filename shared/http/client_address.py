"""The address that a request comes from, also behind proxies that the operator named."""

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from starlette.types import Scope

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


IPV6_SITE_BITS = 64
"""What one customer of a provider has at least (RFC 6177): each of its addresses is free to use."""


def site_of(text: str) -> str:
    """Whom an address counts for: an IPv4 address for itself, IPv6 for its network of 64 bits, an
    IPv4 address written as IPv6 as what it is; what is no address, as it stands."""
    address = address_of(text)
    if not isinstance(address, IPv6Address):
        return text
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), IPV6_SITE_BITS), strict=False))


def is_trustworthy(url: str) -> bool:
    """https, or http that does not leave this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_url(url: str, schemes: Sequence[str]) -> bool:
    """An absolute URL of one of these schemes, with a host and without user and password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and bool(host) and "@" not in parts.netloc


FORWARDED_FOR = b"x-forwarded-for"
MOST_HOPS = 16


def with_callers_address(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """`scope` with the caller's own address as its `client`: what a trusted proxy says, and nobody
    else. Each proxy appends the address that it was called from, so the list is read from its end,
    up to the first address that is no trusted proxy; what stands before that, anybody wrote."""
    peer = scope.get("client")
    forwarded = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
    if not peer or not forwarded or not is_within(address_of(peer[0]), trusted):
        return scope
    caller = caller_of(b",".join(forwarded).decode("latin-1"), trusted)
    return {**scope, "client": (caller or peer[0], 0)}


def caller_of(forwarded: str, trusted: Sequence[Network]) -> str | None:
    """The caller by the whole `X-Forwarded-For`; None where a proxy's own entry is no address."""
    address = None
    for hop in reversed(forwarded.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
        address = address_of(hop.strip())
        if not is_within(address, trusted):
            break
    return None if address is None else str(address)
