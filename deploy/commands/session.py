"""What several of the commands open and print; they run by `run_on` of the worker's commands."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import click

from shared.audit.block_check import Report
from shared.mongo import Database, Mongo
from shared.settings import MongoDriverSettings

KEYS_OPTION = click.option(
    "--keys",
    "keys_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON Web Key Set of trusted proof keys.",
)


@asynccontextmanager
async def open_databases(
    settings: MongoDriverSettings, *stores: str
) -> AsyncIterator[list[Database]]:
    """The database of each of `stores` (`write`, `read`, `keys`, `audit`), which `settings` name.
    The connections are closed behind the block."""
    async with AsyncExitStack() as stack:
        databases = []
        for store in stores:
            mongo = Mongo(getattr(settings, f"{store}_mongo_url"), settings.mongo_driver)
            stack.push_async_callback(mongo.close)
            databases.append(mongo.database(getattr(settings, f"{store}_database")))
        yield databases


def print_report(report: Report) -> None:
    """All of it; ends the process with exit code 1 when anything was found, else 0."""
    for finding in report.findings:
        click.echo(str(finding))
    for note in report.notes:
        click.echo(f"note: {note}")
    looked_at = ", ".join(f"{number} {what}" for what, number in report.counted.items())
    verdict = f"{len(report.findings)} findings" if report.findings else "no tampering found"
    click.echo(f"{verdict}; checked {looked_at or 'nothing'}")
    sys.exit(1 if report.findings else 0)


def print_findings(report: Report) -> None:
    """On standard error, in addition to the output; with any, exit code 1."""
    for finding in report.findings:
        click.echo(f"teddy: {finding}", err=True)
    if report.findings:
        sys.exit(1)
