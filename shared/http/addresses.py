"""Where secrets may be sent to."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_trustworthy(url: str) -> bool:
    """https, or http that does not leave this machine."""
    scheme, host = _scheme_and_host(url)
    return bool(host) and (scheme == "https" or (scheme == "http" and _names_loopback(host)))


def is_loopback(url: str) -> bool:
    """Whether it leads to this machine, by an address or as `localhost`."""
    return _names_loopback(_scheme_and_host(url)[1])


def _scheme_and_host(url: str) -> tuple[str, str]:
    """Empty where there is none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    return parts.scheme, host


def _names_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
