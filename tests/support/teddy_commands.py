"""Every command of `teddy`, with arguments that it can be called with."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from deploy import cli

Words = tuple[str, ...]

NOBODY = "00000000-0000-4000-8000-000000000000"
ARGUMENTS: dict[Words, str] = {
    ("audit", "export"): "--from 2026-01-01 --to 2030-01-01 {new}",
    ("audit", "show"): "--limit 5",
    ("audit", "verify"): "",
    ("audit", "verify-export"): "{other}",
    ("dead-letter", "discard"): "--child {child} --dry-run",
    ("dead-letter", "list"): "",
    ("dead-letter", "redrive"): "--child {child} --from-store",
    ("dead-letter", "show"): "--child {child}",
    ("demo",): "",
    ("down",): "",
    ("env",): "--all",
    ("erase", "receipt"): "{child}",
    ("erase", "status"): "",
    ("erase", "verify"): "{other}",
    ("evidence", "export"): "--child {child} --violation v --out {new}",
    ("evidence", "verify"): "{other}",
    ("keys", "init"): "{new}",
    ("keys", "retire"): "kek-9",
    ("keys", "rotate"): "",
    ("keys", "status"): "",
    ("load",): "--registrations 2 --commands 2 --concurrency 2",
    ("logs",): "supervisor",
    ("notifications", "list"): "--state any",
    ("notifications", "redrive"): "--all --dry-run",
    ("replay", "drop-old"): "",
    ("replay", "events"): "--child {child}",
    ("replay", "rebuild"): "",
    ("replay", "republish"): "--child {child}",
    ("replay", "rollback"): "",
    ("replay", "show"): "--child {child} --reveal",
    ("replay", "status"): "",
    ("replay", "verify"): "--wait 1",
    ("retention", "apply"): "",
    ("retention", "plan"): "",
    ("seed",): "--children 2",
    ("sql",): "'SELECT count(*) FROM children'",
    ("status",): "",
    ("token",): "--role parent --subject p-1",
    ("topics", "apply"): "",
    ("up",): "",
    ("verify",): "--wait 1",
}
"""`{new}` is the path of a file that is not there, `{other}` of one that is something else,
`{child}` the id of a child."""


def commands() -> list[Words]:
    """The path of every command, from the click group itself: who adds one adds its arguments."""
    return sorted(_leaves(cli.teddy, ()), key=lambda path: path in (("up",), ("down",)))


def arguments(command: Words, folder: Path, child: str = NOBODY) -> list[str]:
    """To be called with; files that are named are made in `folder`, which exists."""
    other = folder / "other"
    other.write_text("something else\n")
    wanted = ARGUMENTS[command].format(new=folder / "new", other=other, child=child)
    return [*command, *shlex.split(wanted)]


def _leaves(group: click.Group, above: Words) -> Iterator[Words]:
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from _leaves(command, (*above, name))
            else:
                yield (*above, name)
