"""`python -m deploy.checks.compose`: the requirements on the Compose stack as a table.

Exit code 1 when one is not kept.
"""

import sys

import click

from deploy.checks.compose.project import Project, read_project
from deploy.checks.compose.promises import PROMISES
from shared.command_line import Table


def main(project: Project) -> int:
    table = Table("requirement", "checked by", "holds", title="deploy/compose.yaml")
    broken: list[str] = []
    for promise in PROMISES:
        problems = list(promise.problems(project))
        table.add(promise.text, promise.how, "no" if problems else "yes")
        broken += [f"{promise.text}: {problem}" for problem in problems]
    table.print()
    for line in broken:
        click.secho(line, fg="red")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(read_project()))
