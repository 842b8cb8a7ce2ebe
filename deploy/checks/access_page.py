"""`python -m deploy.checks.access_page` writes docs/access.md from the access table."""

from collections.abc import Iterator
from pathlib import Path

from shared.auth.access import ACCESS, Role, Rule

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def with_table(page: str) -> str:
    """`page` with the table of today between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the page needs the lines {BEGIN.strip()} and {END.strip()}")
    return before + BEGIN + "".join(f"{line}\n" for line in _table()) + END + after


def _table() -> Iterator[str]:
    yield f"| Operation | {' | '.join(role.value for role in Role)} | Limit |"
    yield "|---" * (len(Role) + 2) + "|"
    for operation, rule in ACCESS.items():
        yield f"| `{operation}` | {' | '.join(_cells(rule))} | {rule.rate.value} |"


def _cells(rule: Rule) -> Iterator[str]:
    for role in Role:
        yield rule.of(role).value


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
