"""The FastAPI application over a command bus."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Security
from prometheus_client import CollectorRegistry

from command_service.api import children, consents, conversations, introspection, lifecycle, safety
from command_service.api.command_route import Edge
from command_service.api.errors import PROBLEMS
from command_service.api.links import LINKS
from shared.audit.trail import AuditTrail
from shared.http.admission import install_admission
from shared.http.audit_edge import install_audit
from shared.http.connection_room import install_connection_room
from shared.http.correlation import install_correlation
from shared.http.hardening import Exposure, install_hardening
from shared.http.links import install_links
from shared.http.operations import Readiness, operations_router
from shared.http.problems import install_problems
from shared.http.proxies import install_callers_address
from shared.http.rate_limit_headers import install_rate_limit_headers
from shared.http.shares import Bounds

PREFIX = "/v1"
DESCRIPTION = """
Everything that can be asked of a child account. Errors are RFC 9457 problem documents. Every answer
carries a `Consistency-Token`: send it with a query to see the command's effect.
"""

NOTHING_SHOWN = Exposure()

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    edge: Edge,
    trail: AuditTrail,
    readiness: Readiness,
    registry: CollectorRegistry,
    bounds: Bounds,
    lifespan: Lifespan | None = None,
    exposure: Exposure = NOTHING_SHOWN,
) -> FastAPI:
    app = FastAPI(
        title="Teddy command API",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,  # a redirect goes to whatever `Host` says, and takes the body along
    )
    app.state.edge = edge
    for resource in (children, consents, safety, conversations, lifecycle, introspection):
        # the routes verify the caller themselves; here it is named for the documentation
        app.include_router(resource.router, prefix=PREFIX, dependencies=[Security(edge.caller)])
    app.include_router(operations_router(readiness, registry))
    install_links(app, LINKS, edge.query_url)
    install_problems(app, PROBLEMS)
    install_audit(app, trail, edge.clock, PREFIX)
    install_rate_limit_headers(app)
    install_admission(app, PREFIX, bounds, registry)
    install_hardening(app, exposure)
    install_callers_address(app, exposure.trusted_proxies)
    install_connection_room(app, bounds, exposure.trusted_proxies, registry)
    install_correlation(app, edge.new_id)
    return app
