"""How a command ends: what goes wrong is one line on standard error."""

import logging
import sys

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
