from pathlib import Path

import pytest

from deploy.local.state import StackFolder


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    """Of a stack that was never started."""
    folder = StackFolder(tmp_path / "stack")
    folder.create()
    return folder
