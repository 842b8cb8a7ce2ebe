"""What all commands share: how they end, with one line on standard error when something goes
wrong, and how they are told a time."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError


def run_command(
    command: click.Command, name: str, failures: tuple[type[Exception], ...] = ()
) -> None:
    """Exit code 2 for what cannot be meant, with nothing touched; 1 for `failures`."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what fails is raised, too
    try:
        command(standalone_mode=False)
    except NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        click.echo(f"{name}: {error.format_message()}", err=True)
        sys.exit(2)
    except failures as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(1)


class Moment(click.ParamType):
    """An ISO 8601 time with its zone, or a date (its beginning in UTC)."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        moment = moment_of(value)
        if moment is None:
            self.fail(
                f"{value!r} is no time; give e.g. 2026-11-23T12:00:00Z or 2026-11-23", param, ctx
            )
        return moment


def moment_of(text: str) -> datetime | None:
    """None for what is no time, or a time of day without its zone."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC) if len(text) == len("2026-11-23") else None
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter at either end of the calendar
        return None
