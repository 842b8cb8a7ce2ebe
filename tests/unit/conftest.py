"""No test here needs a server."""

from tests.support.serverless import serverless, servers, services

__all__ = ["serverless", "servers", "services"]
