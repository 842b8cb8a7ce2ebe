"""`teddy sql --out`: the format is that of the file's ending, or nothing is asked."""

from pathlib import Path

import pytest
from click import UsageError
from click.testing import CliRunner

from deploy.commands import sql as command
from query_service.sql.runner import SqlFormat, SqlResult


@pytest.mark.parametrize(
    ("form", "name", "chosen"),
    [
        (None, None, "table"),
        ("csv", None, "csv"),
        (None, "a.csv", "csv"),
        (None, "a.json", "json"),
        (None, "a.JSONL", "json"),
        (None, "a.ndjson", "json"),
        (None, "a.b.parquet", "parquet"),
        ("csv", "a.txt", "csv"),
        ("json", "a", "json"),
    ],
)
def test_the_ending_of_the_file_is_its_format(
    form: str | None, name: str | None, chosen: str, tmp_path: Path
):
    assert command._checked(form, None if name is None else tmp_path / name) == chosen


@pytest.mark.parametrize(
    ("form", "name"),
    [(None, "a.xlsx"), (None, "a"), (None, ".csv"), ("table", "a.csv"), ("parquet", None)],
)
def test_what_has_no_format_is_refused(form: str | None, name: str | None, tmp_path: Path):
    with pytest.raises(UsageError):
        command._checked(form, None if name is None else tmp_path / name)


def test_an_unknown_ending_is_one_line_and_exit_code_2_before_anything_is_asked(tmp_path: Path):
    ran = CliRunner().invoke(command.sql, ["SELECT 1", "--out", str(tmp_path / "a.xlsx")])
    assert ran.exit_code == 2
    assert "a.xlsx: give --format, or end it with .csv, .json" in ran.stderr
    assert not list(tmp_path.iterdir())


def test_the_file_has_what_the_engine_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[SqlFormat] = []

    async def result(_statement: str, form: str) -> SqlResult:
        asked.append(command.FORMATS[form])
        return SqlResult([{"name": "a", "type": "INTEGER"}], 1, False, (), b"body", None)

    monkeypatch.setattr(command, "_result", result)
    monkeypatch.setattr(command, "load_settings", lambda _: None)
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        file = tmp_path / name
        assert CliRunner().invoke(command.sql, ["SELECT 1", "--out", str(file)]).exit_code == 0
        assert file.read_bytes() == b"body"
    assert asked == [SqlFormat.CSV, SqlFormat.JSONL, SqlFormat.PARQUET]
