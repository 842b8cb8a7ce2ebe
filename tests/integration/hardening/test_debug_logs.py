"""What a caller wrote is in no log line, though the operator logs all there is to log."""

import subprocess
import sys
from typing import Any

import orjson

from tests.support.canaries.values import MARK, found_in

DONE_SECONDS = 120


def test_no_refused_text_is_in_a_log_at_debug() -> None:
    # given
    command = [sys.executable, "-m", "tests.support.logging_apis", MARK]
    # when
    run = subprocess.run(command, capture_output=True, timeout=DONE_SECONDS, check=False)
    # then
    assert run.returncode == 0, run.stderr[-2_000:]
    assert int(run.stdout) > 500
    assert list(found_in({"logs": run.stderr})) == []
    # and it was logged, at every level
    lines = [orjson.loads(line) for line in run.stderr.splitlines()]
    assert {line["level"] for line in lines} >= {"debug", "info", "error"}
    assert _of(lines, "command", level="debug", outcome="child-not-found")
    (*_, failed) = _of(lines, "request_failed", error="Broken")
    assert "Broken\n  " in failed["exception"]
    assert "ValueError" in failed["exception"]


def _of(lines: list[dict[str, Any]], message: str, **fields: str) -> list[dict[str, Any]]:
    wanted = {"message": message, **fields}
    return [line for line in lines if wanted.items() <= line.items()]
