"""A run without room on the disk is refused at once, with what to do."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import room


def test_a_full_disk_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=300_000_000))

    with pytest.raises(pytest.UsageError) as refused:
        room.refuse_without_room(str(tmp_path))

    said = str(refused.value)
    assert said.startswith(f"{tmp_path} has 0.3 GB free")
    assert "TMPDIR" in said
    assert "\n" not in said


def test_with_room_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=room.NEEDED_BYTES))

    room.refuse_without_room(str(tmp_path))
