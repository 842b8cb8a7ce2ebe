"""`teddy env`: a running stack's settings for a shell."""

import os

import click

from deploy.local import shell
from deploy.local.state import StackFolder
from deploy.stack_environment import use_environment_of
from shared.mongo_urls import has_password

API_URLS = frozenset({"TEDDY_COMMAND_URL", "TEDDY_QUERY_URL"})


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every setting, not only the APIs' URLs.")
@click.option("--secrets", is_flag=True, help="Every setting, and passwords too.")
@click.pass_obj
def env(folder: StackFolder, *, everything: bool, secrets: bool) -> None:
    """Print where the running stack's APIs are, as shell exports: eval "$(teddy env)".

    What is printed is marked, so that another local stack does not take it for its own.
    """
    everything |= secrets
    before, taken = use_environment_of(folder)
    wanted = [name for name in taken if everything or name in API_URLS]
    if not everything and not API_URLS & os.environ.keys():
        raise click.UsageError(f"no API runs in {folder.path}; --all prints what its servers need")
    own = {name for name in os.environ if name.startswith("TEDDY_")} - taken if everything else ()
    hidden = {name for name in (*wanted, *own) if _is_secret(name) and not secrets}
    marked = {name: os.environ[name] for name in wanted if name not in hidden}
    for line in shell.exports(folder.path, marked, before):
        click.echo(line)
    for name in sorted(set(own) - hidden):
        click.echo(shell.export(name, os.environ[name]))
    for name in sorted(hidden):
        click.echo(f"# {name} holds a password: teddy env --secrets")


def _is_secret(name: str) -> bool:
    return name.endswith("PASSWORD") or has_password(os.environ[name])
