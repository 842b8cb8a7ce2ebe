"""What counts as waiting for a core."""

import os
from pathlib import Path

import pytest

from tests.support.core_waits import CoreWaits

SERVER = 4_000_001


def waited(proc: Path, pid: int, thread: int, seconds: float) -> None:
    file = proc / str(pid) / "task" / str(thread) / "schedstat"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"123456789 {int(seconds * 1e9)} 42\n")


def test_waits_of_all_threads_count_from_the_beginning_on(tmp_path: Path) -> None:
    # given threads that have waited before
    waited(tmp_path, SERVER, 1, 5.0)
    waited(tmp_path, os.getpid(), 1, 7.0)
    waits = CoreWaits(SERVER, proc=tmp_path)
    assert waits.seconds() == 0.0
    # when they wait, and one begins
    waited(tmp_path, SERVER, 1, 5.5)
    waited(tmp_path, SERVER, 2, 0.25)
    waited(tmp_path, os.getpid(), 1, 7.125)
    # then
    assert waits.seconds() == pytest.approx(0.875)


def test_others_do_not_count_and_where_nobody_counts_there_is_none(tmp_path: Path) -> None:
    waits = CoreWaits(SERVER, proc=tmp_path)

    waited(tmp_path, SERVER + 1, 1, 9.0)

    assert waits.seconds() == 0.0
