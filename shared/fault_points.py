"""Named places at which the fault harness lets a process die or freeze.

Off unless `TEDDY_FAULT_POINTS` names a folder when the process starts. Then a process that reaches
a point finds out whether a file of the point's name lies in that folder: it takes the file away and
sends itself the signal that the file names. So a fault occurs once, in the first process that gets
there, and can be set while the processes run.
"""

import os
import signal
from enum import StrEnum
from pathlib import Path

VARIABLE = "TEDDY_FAULT_POINTS"

_folder = os.environ.get(VARIABLE)


class FaultPoint(StrEnum):
    """The steps of a fact's way between which a crash is most likely to lose or repeat it."""

    COMMAND_BEFORE_APPEND = "command-before-append"
    COMMAND_AFTER_APPEND = "command-after-append"
    COMMAND_BEFORE_REPLY = "command-before-reply"
    RELAY_BEFORE_SEND = "relay-before-send"
    RELAY_AFTER_ACK = "relay-after-ack"
    RELAY_BEFORE_TOKEN_SAVE = "relay-before-token-save"  # noqa: S105 - no password: a resume token
    WORKER_MID_TRANSACTION = "worker-mid-transaction"
    WORKER_MID_ERASURE = "worker-mid-erasure"
    WORKER_AFTER_COMMIT = "worker-after-commit"
    WORKER_BEFORE_OFFSETS = "worker-before-offsets"
    NOTIFICATION_BEFORE_SEND = "notification-before-send"
    NOTIFICATION_BEFORE_NOTE = "notification-before-note"
    REBUILD_MID_TRANSACTION = "rebuild-mid-transaction"
    REBUILD_INSIDE_CHILD = "rebuild-inside-child"
    REBUILD_AFTER_SLICE = "rebuild-after-slice"
    REBUILD_BEFORE_FLIP = "rebuild-before-flip"
    REBUILD_AFTER_FLIP = "rebuild-after-flip"


def reached(point: FaultPoint) -> None:
    """Say that the process is at `point`. In production this compares one variable with None."""
    if _folder is not None:
        _inject(Path(_folder, point))


def arm(folder: Path, point: FaultPoint, number: signal.Signals = signal.SIGKILL) -> None:
    """Let the next process that reaches `point` get the signal `number`."""
    staged = folder / f".{point}"
    staged.write_text(number.name)
    staged.rename(folder / point)  # nobody reads a half-written file


def _inject(fault: Path) -> None:
    try:
        name = fault.read_text()
        fault.unlink()
    except FileNotFoundError:  # not set, or another process was quicker
        return
    os.kill(os.getpid(), signal.Signals[name])
