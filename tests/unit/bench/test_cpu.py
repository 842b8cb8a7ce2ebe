"""CPU of other processes."""

import subprocess
import sys

import psutil
import pytest

from tests.bench.cpu import spent_by

WORK = (
    "sum(range(10**6)); print(flush=True); input(); sum(range(10**7)); print(flush=True); input()"
)


def test_what_another_process_spends_is_measured_and_only_that() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        others = {"it": psutil.Process(process.pid)}
        with spent_by(others) as idle:
            pass
        with spent_by(others) as busy:
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
        process.kill()

    assert idle.seconds["it"] < busy.seconds["it"] / 2
    assert busy.of("it", 1_000) == busy.of_all(1_000) == pytest.approx(busy.seconds["it"] * 1_000)
