"""What commands are told and show: times, and tables that can be copied whole."""

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.text import Text

import shared
from shared.command_line import Table, moment_of, progress

IDS = [f"0c9b7f6e-1111-4a7b-8a55-3f1f0a9d000{number}" for number in range(3)]
ROOT = Path(shared.__file__).parents[1]
COMMANDS = ("command_service", "deploy", "projection_worker", "query_service", "shared")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Standard output passes for a terminal; its width is that of COLUMNS."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


def _table() -> Table:
    table = Table("child", "correlation", "what\nwhy", title="What happened")
    for one in IDS:
        table.add(one, IDS[0], "a line that is long enough to be wrapped, and\nanother one")
    return table


@pytest.mark.parametrize("columns", ["40", "", "400"])
def test_a_pipe_has_no_width_and_no_colours(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # given
    monkeypatch.setenv("COLUMNS", columns)
    table = _table()
    table.add(Text("styled", "green"), "", "")
    # when
    table.print()
    # then
    out = capsys.readouterr().out
    lines = out.splitlines()
    for one in IDS[1:]:
        (line,) = [line for line in lines if one in line]
        assert IDS[0] in line
        assert "a line that is long enough to be wrapped, and" in line
    assert "styled" in out
    assert "\x1b" not in out
    assert max(map(len, lines)) < 160, "no wider than its content"


@pytest.mark.parametrize("columns", ["20", "40", "60", "100", "300"])
def test_no_terminal_is_too_narrow_for_an_id(
    columns: str, terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    terminal.setenv("COLUMNS", columns)

    _table().print()

    out = capsys.readouterr().out
    assert all(one in out for one in IDS)
    assert out.count(IDS[0]) == len(IDS) + 1
    assert "What happened" in out


def test_a_wide_terminal_wraps_between_words(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    terminal.setenv("COLUMNS", "110")

    _table().print()

    plain = Text.from_ansi(capsys.readouterr().out).plain
    assert max(map(len, plain.splitlines())) <= 110
    assert all(word in plain for word in (*IDS, "enough", "wrapped,", "another"))


@pytest.mark.parametrize("columns", ["10", "100"])
def test_a_cell_neither_styles_nor_steers_the_terminal(
    columns: str, terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    terminal.setenv("COLUMNS", columns)
    table = Table("topic")
    table.add("[red]x[/]:bear:\x1b[2J")
    table.print()
    assert "[red]x[/]:bear:\\x1b[2J" in capsys.readouterr().out


def test_a_row_has_as_many_cells_as_there_are_columns():
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table("one", "two").add("alone")


def test_progress_is_for_terminals_alone(capsys: pytest.CaptureFixture[str]):
    with progress("commands", 2) as tell:
        tell(1)
        tell(2)

    assert capsys.readouterr() == ("", "")


def test_progress_is_seen_on_a_terminal(
    terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    terminal.setenv("COLUMNS", "80")
    with progress("commands", 2) as tell:
        tell(2)

    assert "2/2" in capsys.readouterr().out


def test_there_is_one_way_to_show_a_table():
    # given
    one_way = ROOT / "shared" / "command_line.py"
    # when
    others = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for package in COMMANDS
        for path in (ROOT / package).rglob("*.py")
        if path != one_way
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in ("rich.console", "rich.table")
    ]
    # then
    assert others == []


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-11-23T12:00:00Z", "2026-11-23T12:00Z", "2026-11-23T14:00:00.000+02:00"]
)
def test_a_time_with_its_zone_is_a_moment(text: str):
    assert moment_of(text) == NOON


def test_a_date_is_its_beginning_in_utc():
    assert moment_of("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "",
        "12:00",
        "2026-11-23T12:00:00",
        "2026-13-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_moment_is_none(text: str):
    assert moment_of(text) is None
