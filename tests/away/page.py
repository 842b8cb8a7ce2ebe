"""The table in docs/reliability.md that says what is seen while a server is away."""

from collections.abc import Mapping
from pathlib import Path

from tests.away.rows import COLUMNS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- away: begin -->\n", "<!-- away: end -->\n"


def row_on_page(server: str, page: Path = PAGE) -> str:
    """Raises StopIteration where there is none."""
    table = page.read_text().partition(BEGIN)[2].partition(END)[0]
    return next(line for line in table.splitlines() if line.startswith(f"| {server} |"))


def write(rows: Mapping[str, str], page: Path = PAGE) -> None:
    """Put the whole table between its marks. Raises ValueError where a mark is missing."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{BEGIN.strip()} and {END.strip()} must surround the table")
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    page.write_text(before + begin + "\n".join([*head, *rows.values()]) + "\n" + end + after)
