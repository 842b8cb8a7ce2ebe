"""MongoDB URLs of the settings: checked without connecting, completed with the CA file.

User, password and TLS options are part of the URL; what is wrong with one is told without it.
"""

from pathlib import Path
from urllib.parse import quote_plus

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri


def checked_url(url: str, ca_file: Path | None) -> str:
    """`url`, over TLS checked by `ca_file` (PEM) if there is one. Raises ValueError."""
    if ca_file is not None:
        joint = "&" if "?" in url else "?" if url.rpartition("//")[2].count("/") else "/?"
        url = f"{url}{joint}tls=true&tlsCAFile={quote_plus(str(ca_file))}"
    try:
        # the records of mongodb+srv are looked up by the driver, when it connects
        if not url.startswith("mongodb+srv://"):
            parse_uri(url, validate=True)
    except (PyMongoError, ValueError, TypeError, OSError) as error:
        reason = f"is no usable MongoDB URL ({type(error).__name__})"
        raise ValueError(f"{reason}; CA file: {ca_file}" if ca_file else reason) from None
    return url


def has_password(url: str) -> bool:
    credentials, at, _ = url.partition("://")[2].rpartition("@")
    return bool(at) and ":" in credentials
