"""What the supervisor prints: heard where it can be, and never a reason to end."""

import contextlib
import sys
from typing import TextIO


def say(what: object, to: TextIO | None = None) -> None:
    """One line, at once, on standard output unless `to` says else. On a full disk it waits in the
    buffer for the next one: whoever speaks goes on."""
    with contextlib.suppress(OSError):
        print(what, file=to or sys.stdout, flush=True)
