"""Addresses that may be believed."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit


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
