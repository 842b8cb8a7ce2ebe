"""What the commands `audit ...` print."""

import sys
from collections.abc import Sequence
from typing import Any

import click
import orjson

from deploy.proofs.block_check import Report
from shared.audit.record import Record
from shared.command_line import Table

COLUMNS = ("at", "subject", "role", "operation", "outcome", "address", "children")


def tell(report: Report) -> None:
    """Print it and end with its exit code."""
    for finding in report.findings:
        click.echo(str(finding))
    for note in report.notes:
        click.echo(f"note: {note}")
    looked_at = ", ".join(f"{number} {what}" for what, number in report.counted.items())
    verdict = f"{len(report.findings)} findings" if report.findings else "no tampering found"
    click.echo(f"{verdict}; checked {looked_at or 'nothing'}")
    sys.exit(1 if report.findings else 0)


def tell_findings(report: Report) -> None:
    """On stderr, beside what was asked for; with any, exit code 1."""
    for finding in report.findings:
        click.echo(f"teddy: {finding}", err=True)
    if report.findings:
        sys.exit(1)


def _print(records: Sequence[Record], form: str) -> None:
    if form == "json":
        for record in records:
            click.echo(orjson.dumps(record))
        return
    table = Table(*COLUMNS)
    for record in records:
        table.add(*(_text(record[column]) for column in COLUMNS))
    table.print()


def _text(value: Any) -> str:
    return "\n".join(value) if isinstance(value, list) else str(value)
