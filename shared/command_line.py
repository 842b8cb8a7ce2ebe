"""Commands for operators: exit codes, errors of one line, tables."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError
from rich import table as rich_table
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

PIPED_WIDTH = 1_000_000
"""No line of a table is longer, and tables take no more than they need."""

AROUND_A_CELL = 3
"""A space on either side and a line."""

Cell = str | int | Text
"""Text is styled; a string is shown as it is: nothing in it is markup or steers the terminal."""


def console() -> Console:
    """Standard output."""
    found = Console()
    return found if found.is_terminal else Console(width=PIPED_WIDTH)


class Table:
    """Rows under columns. Where a terminal is so narrow that words would be broken, each row is a
    block of lines instead: `column  value`.

    A pipe has no width: nothing is wrapped or coloured there, and `grep` finds a whole id.
    """

    def __init__(self, *columns: str, title: str = "", lines: bool = False) -> None:
        self._columns = columns
        self._title = title
        self._lines = lines
        self._rows: list[list[Text]] = []
        self._section_ends: set[int] = set()

    def add(self, *cells: Cell) -> None:
        if len(cells) != len(self._columns):
            raise ValueError(f"{len(cells)} cells for {len(self._columns)} columns")
        self._rows.append([_text(cell) for cell in cells])

    def end_section(self) -> None:
        """A line after the last row."""
        self._section_ends.add(len(self._rows) - 1)

    def print(self) -> None:
        on = console()
        columns = [
            [column, *(row[place].plain for row in self._rows)]
            for place, column in enumerate(self._columns)
        ]
        least = [max(map(_longest_word, texts)) for texts in columns]
        room = on.width - AROUND_A_CELL * len(columns) - 1
        if sum(least) > room:
            self._print_blocks(on)
            return
        wanted = [max(map(_longest_line, texts)) for texts in columns]
        on.print(self._as_table(_shared_out(room, least, wanted)))

    def _as_table(self, widths: list[int]) -> rich_table.Table:
        table = rich_table.Table(
            title=self._title or None, title_justify="left", show_lines=self._lines
        )
        for column, width in zip(self._columns, widths, strict=True):
            table.add_column(column, width=width)
        for number, row in enumerate(self._rows):
            table.add_row(*row, end_section=number in self._section_ends)
        return table

    def _print_blocks(self, on: Console) -> None:
        names = [column.replace("\n", ", ") for column in self._columns]
        widest = max(map(len, names))
        if self._title:
            on.print(self._title, markup=False, highlight=False, soft_wrap=True)
        for row in self._rows:
            for name, cell in zip(names, row, strict=True):
                on.print(Text(f"{name:{widest}}  ") + cell, soft_wrap=True, highlight=False)
            on.print()


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how much of a work is done, elsewhere nothing. Gives what is to be called
    with the number so far; `total` None: nobody knows how many there are."""
    on = console()
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=on, transient=True, disable=not on.is_terminal) as shown:
        task = shown.add_task("", total=total)

        def report(so_far: int) -> None:
            shown.update(task, completed=so_far)

        yield report


def _shared_out(room: int, least: list[int], wanted: list[int]) -> list[int]:
    """Widths of columns: what each wants if there is room for all, else its least and a fair share
    of the rest. Rich takes from the widest, and would break an id for a sentence beside it."""
    widths, spare = list(least), room - sum(least)
    places = sorted(range(len(least)), key=lambda place: wanted[place] - least[place])
    for turn, place in enumerate(places):
        more = min(wanted[place] - least[place], spare // (len(places) - turn))
        widths[place] += more
        spare -= more
    return widths


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)


def _longest_line(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text("".join(map(_printable, str(cell))))


def _printable(character: str) -> str:
    return character if character.isprintable() or character == "\n" else ascii(character)[1:-1]


def run_command(
    command: click.Command, name: str, failures: tuple[type[Exception], ...] = ()
) -> None:
    """Exit code 2 for what cannot be meant, with nothing touched; 1 for `failures`."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what fails is raised, too
    try:
        command(standalone_mode=False)
    except NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        message = " ".join(error.format_message().split())  # choices stand on lines of their own
        click.echo(f"{name}: {message}", err=True)
        sys.exit(2)
    except failures as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(1)


class Moment(click.ParamType):
    """An ISO 8601 time with its zone, or a date (its beginning in UTC)."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        moment = moment_of(value)
        if moment is None:
            self.fail(
                f"{value!r} is no time; give e.g. 2026-11-23T12:00:00Z or 2026-11-23", param, ctx
            )
        return moment


def moment_of(text: str) -> datetime | None:
    """None for what is no time, or a time of day without its zone."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC) if len(text) == len("2026-11-23") else None
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter at either end of the calendar
        return None
