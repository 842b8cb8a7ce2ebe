"""`python -m deploy.checks.compose`: the promises of the Compose stack as a table.

Exit code 1 when one is not kept.
"""

import sys

from rich.console import Console
from rich.table import Table

from deploy.checks.compose.project import Project, read_project
from deploy.checks.compose.promises import PROMISES


def main(project: Project, console: Console) -> int:
    table = Table("promise", "checked by", "holds", title="deploy/compose.yaml")
    broken: list[str] = []
    for promise in PROMISES:
        problems = list(promise.problems(project))
        table.add_row(promise.text, promise.how, "no" if problems else "yes")
        broken += [f"{promise.text}: {problem}" for problem in problems]
    console.print(table)
    for line in broken:
        console.print(line, style="red", markup=False)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(read_project(), Console()))
