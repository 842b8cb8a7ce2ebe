"""A whole local stack for the tests of one file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import control
from deploy.local.state import StackFolder, StackState


@contextmanager
def own_stack(path: Path) -> Iterator[StackFolder]:
    """As `teddy up` starts it in `path`; stopped at the end."""
    folder = StackFolder(path)
    control.up(folder)
    yield folder
    control.down(folder)


def state_of(folder: StackFolder) -> StackState:
    """As it is now."""
    state = folder.load()
    assert state is not None
    return state
