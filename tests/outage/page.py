"""The table in docs/reliability.md: how the system answers while a server is unavailable."""

from collections.abc import Mapping
from pathlib import Path

from deploy.checks.configuration import with_generated
from tests.outage.rows import COLUMNS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- outage: begin -->\n", "<!-- outage: end -->\n"


def row_on_page(server: str, page: Path = PAGE) -> str:
    """Raises StopIteration where there is none."""
    table = page.read_text().partition(BEGIN)[2].partition(END)[0]
    return next(line for line in table.splitlines() if line.startswith(f"| {server} |"))


def write(rows: Mapping[str, str], page: Path = PAGE) -> None:
    """Put the whole table between its marks. Raises ValueError where a mark is missing."""
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    page.write_text(with_generated(page.read_text(), "outage", "\n".join([*head, *rows.values()])))
