"""A test that hangs is ended, and its report says what it waited for."""

import subprocess
import sys
from pathlib import Path

HANGS = """
import asyncio

async def nobody_ends_this():
    await asyncio.Event().wait()

async def test_that_hangs():
    await asyncio.gather(nobody_ends_this(), asyncio.sleep(0))

async def test_after_it():
    await asyncio.sleep(0)
"""


def test_one_that_hangs_fails_and_names_what_it_waits_for(tmp_path: Path) -> None:
    # given
    (tmp_path / "test_hanging.py").write_text(HANGS)
    options = ("--timeout=1", "-p", "tests.support.hung_tests", "-p", "no:cacheprovider")
    settings = ("-o", "asyncio_mode=auto", "--rootdir", str(tmp_path))
    # when
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, *settings, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    # then
    assert run.returncode == 1
    assert "1 failed, 1 passed" in run.stdout
    assert "in nobody_ends_this" in run.stdout
