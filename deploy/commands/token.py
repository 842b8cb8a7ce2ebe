"""The command `token`: a bearer token for the local stack."""

import re
from datetime import timedelta

import click

from deploy.commands.running_stack import token_issuer, use_environment_of
from deploy.local.state import StackFolder
from shared.auth.access import SUBJECT_LIMIT, Principal, Role, is_subject
from shared.clock import utc_now
from shared.http.settings import TokenLifeSettings
from shared.settings import load_settings

LIFE = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@click.command()
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--subject", required=True, help="Parent id, device id or name of the caller.")
@click.option("--life", default="1h", show_default=True, help="e.g. 30m, 12h, 7d")
@click.pass_obj
def token(folder: StackFolder, role: str, subject: str, life: str) -> None:
    """Print a bearer token for the local stack."""
    use_environment_of(folder)
    issuer = token_issuer()
    if not is_subject(subject):
        raise click.UsageError(f"--subject is {SUBJECT_LIMIT}")
    longest = timedelta(seconds=load_settings(TokenLifeSettings).token_most_life_seconds)
    click.echo(issuer.issue(Principal(subject, Role(role)), utc_now(), _life(life, longest)))


def _life(text: str, longest: timedelta) -> timedelta:
    unit, number = LIFE.get(text[-1:]), text[:-1]
    if unit is None or not re.fullmatch(r"[0-9]{1,9}", number) or int(number) == 0:
        raise click.UsageError(f"--life must be a number followed by s, m, h or d, not {text!r}")
    life = timedelta(**{unit: int(number)})
    if life > longest:
        raise click.UsageError(f"--life must be at most {longest} (TEDDY_TOKEN_MOST_LIFE_SECONDS)")
    return life
