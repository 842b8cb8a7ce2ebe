"""IP addresses and networks, as settings name them."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

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
