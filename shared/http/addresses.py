"""Where secrets may be sent to."""

from ipaddress import ip_address
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
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
