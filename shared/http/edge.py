"""The edge of every HTTP application: what stands around its routes, in one order."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Security
from prometheus_client import CollectorRegistry

from shared.audit.record import AuditTrail
from shared.clock import Clock, NewId, new_id, utc_now
from shared.http.admission import install_admission
from shared.http.audit_edge import install_audit
from shared.http.client_address import Network, install_callers_address
from shared.http.connection_room import install_connection_room
from shared.http.correlation import install_correlation
from shared.http.openapi import install_documentation
from shared.http.request_checks import install_request_shape
from shared.http.response_headers import install_head_requests, install_rate_limit_headers
from shared.http.secure_headers import install_secure_headers
from shared.http.serving import Readiness, operations_router
from shared.http.shares import Bounds


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


NOTHING_SHOWN = Exposure()
PREFIX = "/v1"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Around:
    """What an API's edge asks of its process. `clock`, `new_id`: of audit records and requests."""

    trail: AuditTrail
    readiness: Readiness
    registry: CollectorRegistry
    bounds: Bounds
    exposure: Exposure = NOTHING_SHOWN
    clock: Clock = utc_now
    new_id: NewId = new_id


def new_api(
    title: str,
    description: str,
    routers: Sequence[APIRouter],
    caller: Callable[..., Any],
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """An application with these routes. They verify the caller themselves; here it is named for the
    documentation."""
    app = FastAPI(
        title=title,
        version="1",
        description=description,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,  # a redirect goes to whatever `Host` says, and takes the body along
    )
    for router in routers:
        app.include_router(router, prefix=PREFIX, dependencies=[Security(caller)])
    return app


def install_edge(app: FastAPI, around: Around) -> None:
    """Around the routes, problems and links that `app` has; what is installed last sees a request
    first."""
    app.include_router(operations_router(around.readiness, around.registry))
    install_audit(app, around.trail, around.clock, PREFIX)
    install_rate_limit_headers(app)
    install_admission(app, PREFIX, around.bounds, around.registry)
    install_hardening(app, around.exposure)
    proxies = around.exposure.trusted_proxies
    install_callers_address(app, proxies)
    install_connection_room(app, around.bounds, proxies, around.registry)
    install_correlation(app, around.new_id)
