"""`python -m deploy.checks.access_page` writes docs/access.md from the access table."""

from collections.abc import Iterator
from pathlib import Path

from deploy.checks.configuration import with_generated
from shared.auth.access import ACCESS, Role

PAGE = Path(__file__).parents[2] / "docs" / "access.md"


def with_table(page: str) -> str:
    """`page` with the current table. Raises ValueError where it has no place for it."""
    return with_generated(page, "table", "\n".join(_table()))


def _table() -> Iterator[str]:
    yield f"| Operation | {' | '.join(role.value for role in Role)} | Limit |"
    yield "|---" * (len(Role) + 2) + "|"
    for operation, rule in ACCESS.items():
        cells = [f"`{operation}`", *(rule.of(role).value for role in Role), rule.rate.value]
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
