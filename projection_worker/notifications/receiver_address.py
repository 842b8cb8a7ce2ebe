"""Where a receiver's name leads: only to addresses that the operator meant to let alerts go to.

A name is resolved here, every address is judged, and the connection goes to an address that was
judged: what a name leads to a moment later changes nothing.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from projection_worker.notifications.channels import NotDelivered

Address = IPv4Address | IPv6Address
NAT64_PREFIX = "64:ff9b::"
GLOBAL_UNICAST = ip_network("2000::/3")
"""All of IPv6 that is given to anybody; the rest is local, or reserved."""

NOT_YET_KNOWN_TO_PYTHON = (ip_network("3fff::/20"), ip_network("192.88.99.0/24"))
"""Documentation (RFC 9637), and relays of 6to4 (RFC 7526): global to `ipaddress` of Python 3.11."""


async def receiver_address(host: str, port: int, *, private: bool) -> Address:
    """An address of `host`. Raises NotDelivered when there is none, or when one of them is not on
    the public internet and `private` ones are not allowed."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotDelivered("ReceiverNotFound") from None
    addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if not addresses:
        raise NotDelivered("ReceiverNotFound")
    if not private and not all(is_public(one) for one in addresses):
        raise NotDelivered("PrivateAddressRefused")
    return addresses[0]


def is_public(address: Address) -> bool:
    """Whether it is reached over the public internet, also where an IPv6 address only wraps one of
    IPv4."""
    if isinstance(address, IPv6Address):
        wrapped = _wrapped(address)
        if wrapped is not None:
            return is_public(wrapped)
        if address not in GLOBAL_UNICAST:
            return False
    if any(address in network for network in NOT_YET_KNOWN_TO_PYTHON):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address in it: mapped, 6to4, Teredo's, or NAT64's."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address.packed[:12] == ip_address(NAT64_PREFIX).packed[:12]:
        return IPv4Address(address.packed[12:])
    return None
