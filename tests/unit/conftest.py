"""No test here needs a server."""

import os

import pytest

from tests.support.no_servers import serverless, servers, services

__all__ = ["no_settings", "serverless", "servers", "services"]


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine's environment says, only the test's own settings count."""
    for name in [name for name in os.environ if name.startswith("TEDDY_")]:
        monkeypatch.delenv(name)
