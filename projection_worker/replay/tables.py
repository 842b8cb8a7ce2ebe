"""Tables whose ids and times can be copied whole, and whose cells say exactly what is stored."""

import os

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 240


def table_of(*columns: str, title: str = "", lines: bool = False) -> Table:
    """Long values fold into further lines instead of being cut off."""
    table = Table(title=title or None, title_justify="left", show_lines=lines)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add_row(table: Table, *cells: str) -> None:
    """Cells are plain text: nothing in them is markup or steers the terminal."""
    table.add_row(*(Text("".join(map(_printable, cell))) for cell in cells))


def print_table(table: Table) -> None:
    """As wide as the terminal; a pipe has no width, nothing folds there."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=PIPED_WIDTH)
    console.print(table)


def _printable(character: str) -> str:
    return character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
