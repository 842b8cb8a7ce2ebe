"""Time that a busy machine takes and the product does not: how long processes waited for a core.

A promise such as "an answer within 2 s" is about the work of the product. Beside other work a
process that is ready to run waits for its turn; Linux counts for how long (schedstat), and so much
later its answers may come. On a quiet machine that is next to nothing. Elsewhere it counts as none.
"""

import os
from pathlib import Path

NANOSECONDS = 1e9


class CoreWaits:
    """Of this process and of `pids`, all their threads together, from now on."""

    def __init__(self, *pids: int, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._pids = (os.getpid(), *pids)
        self._before = self._waited()

    def seconds(self) -> float:
        """So far."""
        return max(self._waited() - self._before, 0.0)

    def _waited(self) -> float:
        files = [f for pid in self._pids for f in (self._proc / str(pid)).glob("task/*/schedstat")]
        return sum(_second_number(file) for file in files) / NANOSECONDS


def _second_number(file: Path) -> int:
    """Nanoseconds on the run queue; none of a thread that ended meanwhile."""
    try:
        return int(file.read_text().split()[1])
    except OSError:
        return 0
