"""Which files and functions of this project one piece of work passes through."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[2]
SERVICES = ("command_service/", "projection_worker/", "query_service/", "shared/")


@dataclass
class Way:
    """Paths below the project, and functions as path and qualified name; without tests."""

    functions: set[tuple[str, str]] = field(default_factory=set)

    @property
    def files(self) -> set[str]:
        return {file for file, _ in self.functions}

    def __str__(self) -> str:
        return f"{len(self.files)} files, {len(self.functions)} functions"

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """A profile function of `sys.setprofile`."""
        if event != "call":
            return
        code = frame.f_code
        file = code.co_filename.removeprefix(f"{ROOT}/")
        if file.startswith(SERVICES):
            self.functions.add((file, code.co_qualname))


@contextmanager
def walked() -> Iterator[Way]:
    """What is called in this thread as long as the block."""
    way = Way()
    sys.setprofile(way.note)
    try:
        yield way
    finally:
        sys.setprofile(None)
