"""No test here needs a server."""

from tests.support.no_servers import serverless, servers, services

__all__ = ["serverless", "servers", "services"]
