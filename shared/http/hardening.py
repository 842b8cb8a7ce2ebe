"""What every HTTP application of this system does alike, before its routes and after them."""

from dataclasses import dataclass

from fastapi import FastAPI

from shared.http.client_address import Network
from shared.http.openapi import install_documentation
from shared.http.request_checks import install_request_shape
from shared.http.response_headers import install_head_requests
from shared.http.secure_headers import install_secure_headers


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a process shows of itself, and how it is reached."""

    documentation: bool = False
    behind_tls: bool = False
    trusted_proxies: tuple[Network, ...] = ()


def install_hardening(app: FastAPI, exposure: Exposure) -> None:
    """To be called before correlation is installed: refusals carry its id."""
    if exposure.documentation:
        install_documentation(app)
    install_request_shape(app)
    install_secure_headers(app, behind_tls=exposure.behind_tls)
    install_head_requests(app)  # around all that answers, refusals too
