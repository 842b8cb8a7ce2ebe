"""`python -m command_service` as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from deploy.local.plans import free_port
from tests.support.key_files import create_key_files

UVICORN_COULD_NOT_START = 3
NOBODY = "mongodb://127.0.0.1:1/?directConnection=true"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "TEDDY_WRITE_MONGO_URL": NOBODY,
        "TEDDY_KEYS_MONGO_URL": NOBODY,
        "TEDDY_AUDIT_MONGO_URL": NOBODY,
        **create_key_files(tmp_path),
        "TEDDY_COMMAND_PORT": str(free_port(None)),
    }


@contextmanager
def started(environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "command_service"], env=environment, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def test_a_process_asked_to_end_ends_well(
    environment: dict[str, str], mongo_url: str, fresh_database: str, tmp_path: Path
):
    # given
    for name in ("WRITE", "KEYS", "AUDIT"):
        environment[f"TEDDY_{name}_MONGO_URL"] = mongo_url
        environment[f"TEDDY_{name}_DATABASE"] = fresh_database
    ready = f"http://127.0.0.1:{environment['TEDDY_COMMAND_PORT']}/health/ready"
    with started(environment, tmp_path / "log") as process:
        transport = httpx2.HTTPTransport(retries=0)
        with httpx2.Client(transport=transport) as http:
            while not _answers(http, ready):
                assert process.poll() is None, (tmp_path / "log").read_text()
        # when
        process.send_signal(signal.SIGTERM)
        # then
        assert process.wait(timeout=15) == 0


def _answers(http: httpx2.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == 200
    except httpx2.TransportError:
        return False


def test_a_process_without_its_store_gives_up(environment: dict[str, str], tmp_path: Path):
    with started(environment, tmp_path / "log") as process:
        assert process.wait(timeout=30) == UVICORN_COULD_NOT_START
    assert "StoreUnavailable" in (tmp_path / "log").read_text()
