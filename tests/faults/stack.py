"""The local stack into which cases inject faults: fault points on, short times."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from deploy.local import control
from deploy.local.plans import free_port
from deploy.local.state import StackFolder
from shared.fault_points import VARIABLE
from tests.support.webhook_receiver import SECRET

SHORT_TIMES = {
    "TEDDY_RELAY_LEASE_SECONDS": "3",
    "TEDDY_WORKER_SESSION_TIMEOUT_SECONDS": "6",
    "TEDDY_WORKER_STALL_SECONDS": "20",
    "TEDDY_LOG_LEVEL": "DEBUG",
}
"""So that take-overs take seconds, and the logs say as much as they ever do."""


PORTS = range(30_000, 32_000)
"""Of receivers: none of the stack's own servers looks for one there."""


def receivers_of_alerts() -> dict[str, str]:
    """Settings of a stack that notifies parents of alerts by every channel. Nobody listens yet."""
    webhook, smtp = (free_port(number) for number in random.sample(PORTS, 2))
    return {
        "TEDDY_ALERT_CHANNELS": "in_app,webhook,email",
        "TEDDY_ALERT_WEBHOOK_URL": f"http://127.0.0.1:{webhook}/alerts",
        "TEDDY_ALERT_WEBHOOK_SECRET": SECRET,
        "TEDDY_ALERT_WEBHOOK_PRIVATE": "true",
        "TEDDY_ALERT_SMTP_HOST": "127.0.0.1",
        "TEDDY_ALERT_SMTP_PORT": str(smtp),
        "TEDDY_ALERT_SMTP_SECURITY": "none",
        "TEDDY_ALERT_EMAIL_SENDER": "alerts@teddy.example",
        "TEDDY_ALERT_EMAIL_ADDRESS": "{parent_id}@parents.example",
    }


@contextmanager
def stack_for_faults(path: Path) -> Iterator[StackFolder]:
    """Running as long as the block, with fault points, short times and every channel of alerts."""
    (path / "faults").mkdir(parents=True)
    added = {**SHORT_TIMES, **receivers_of_alerts(), VARIABLE: str(path / "faults")}
    with mock.patch.dict(os.environ, added), _running(path) as folder:
        yield folder  # what was added stays in the environment, too: cases look there


@contextmanager
def servers_of(path: Path) -> Iterator[StackFolder]:
    """The servers of a stack that ran before, with what they held."""
    with _running(path, servers_only=True) as folder:
        yield folder


@contextmanager
def environment_of(folder: StackFolder) -> Iterator[None]:
    """The stack's settings, for what runs in this process."""
    state = folder.load()
    assert state is not None
    with mock.patch.dict(os.environ, state.environment):
        yield


@contextmanager
def _running(path: Path, *, servers_only: bool = False) -> Iterator[StackFolder]:
    folder = StackFolder(path)
    try:
        control.up(folder, servers_only=servers_only)
        yield folder
    finally:
        control.down(folder)
