"""The commands that need a whole stack: `demo`, `env`, and what all others take from it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import click

from deploy.local import control, operator_settings
from deploy.local.operator_settings import check_settings
from deploy.local.state import PREPARING, STARTING, StackFolder
from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.mongo import has_password
from shared.signing import read_signing_key


def use_environment_of(folder: StackFolder) -> tuple[frozenset[str], frozenset[str]]:
    """Take over the settings of the running stack, where the environment has none of its own.
    Those that were exported from a local stack, be it this one as it was, are none of its own.

    The names of those set aside, and of those taken over.
    """
    exported = operator_settings.set_aside(os.environ)
    state = folder.load() if folder.is_held() else None
    if state and state.status in (PREPARING, STARTING):
        raise click.UsageError(
            f"the stack in {folder.path} is {state.status}: try again when `teddy up` says it runs"
        )
    settings = state.environment if state else {}
    taken = frozenset(settings.keys() - os.environ.keys())
    os.environ.update({name: settings[name] for name in taken})
    if not any(name.startswith("TEDDY_") for name in os.environ):
        raise click.UsageError(
            f"no stack runs in {folder.path}; start one with `teddy up`"
            + (f"; {exported}" if exported else "")
        )
    return (exported.names if exported else frozenset()), taken


def setting(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise click.UsageError(f"{name} is not set, and no local stack is running")
    return value


def token_issuer() -> TokenIssuer:
    """Of the tokens that the running stack accepts."""
    return _issuer(Path(setting("TEDDY_SIGNING_KEY_FILE")))


def _issuer(key_file: Path) -> TokenIssuer:
    return TokenIssuer(
        read_signing_key(key_file),
        os.environ.get("TEDDY_TOKEN_ISSUER", "teddy-local"),
        os.environ.get("TEDDY_TOKEN_AUDIENCE", "teddy"),
    )


READERS = {
    "a parent": Principal("parent-demo", Role.PARENT),
    "a safety officer": Principal("officer-demo", Role.SAFETY_OFFICER),
    "an operator": Principal("admin-demo", Role.ADMIN),
    "an analyst": Principal("analyst-demo", Role.ANALYST),
}
"""Of pages, each with pages of its own."""


def one_click(environment: Mapping[str, str], reader: Principal) -> str:
    """The address that signs a browser in as `reader` at the local stack with these settings, for
    an hour. The token stands behind the `#`, where no server and no log finds it."""
    issuer = _issuer(Path(environment["TEDDY_SIGNING_KEY_FILE"]))
    token = issuer.issue(reader, utc_now(), timedelta(hours=1))
    return f"{environment['TEDDY_QUERY_URL']}/sign-in#{token}"


API_URLS = frozenset({"TEDDY_COMMAND_URL", "TEDDY_QUERY_URL"})


@click.command()
@click.option("--all", "everything", is_flag=True, help="All settings, not only the APIs' URLs.")
@click.option("--secrets", is_flag=True, help="All settings, including passwords.")
@click.pass_obj
def env(folder: StackFolder, *, everything: bool, secrets: bool) -> None:
    """Print where the running stack's APIs are, as shell exports: eval "$(teddy env)".

    What is printed is marked, so that another local stack does not take it for its own.
    """
    everything |= secrets
    before, taken = use_environment_of(folder)
    wanted = [name for name in taken if everything or name in API_URLS]
    if not everything and not API_URLS & os.environ.keys():
        raise click.UsageError(f"no API runs in {folder.path}; --all prints all settings")
    own = {name for name in os.environ if name.startswith("TEDDY_")} - taken if everything else ()
    hidden = {name for name in (*wanted, *own) if _is_secret(name) and not secrets}
    marked = {name: os.environ[name] for name in wanted if name not in hidden}
    for line in operator_settings.exports(folder.path, marked, before):
        click.echo(line)
    for name in sorted(set(own) - hidden):
        click.echo(operator_settings.export(name, os.environ[name]))
    for name in sorted(hidden):
        click.echo(f"# {name} holds a password: teddy env --secrets")


def _is_secret(name: str) -> bool:
    return name.endswith("PASSWORD") or has_password(os.environ[name])


@click.command()
@click.pass_obj
def demo(folder: StackFolder) -> None:
    """Start a fresh stack, play the eight scenarios on it, stop it. Exit code 1 if one fails."""
    stage = StackFolder(folder.path / "demo")
    if stage.is_held():
        raise click.UsageError(f"a demo runs in {stage.path} already")
    check_settings()  # refused here, before anything is started
    control.down(stage)  # what a demo that was killed may have left
    shutil.rmtree(stage.path, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(_play(stage))


def _play(stage: StackFolder) -> int:
    started = time.monotonic()
    try:
        click.echo("starting MongoDB, Kafka and the four services ...")
        state = control.up(stage, progress=lambda what: click.echo(f"  {what}"))
        for process in state.processes:
            click.echo(f"  {process.name:8} {process.address:22} pid {process.pid}")
        if state.broker:
            click.echo(f"  kafka is {state.broker}")
        click.echo(f"all ready after {time.monotonic() - started:.1f} s")
        command = [sys.executable, "-m", "examples"]
        played = subprocess.run(  # noqa: S603 - this project's own scenarios
            command, env={**os.environ, **state.environment}, check=False
        )
    finally:
        stopping = time.monotonic()
        control.down(stage)
        click.echo(f"stopped everything in {time.monotonic() - stopping:.1f} s")
    click.echo(f"logs of this run: {stage.logs}")
    *others, last = READERS
    click.echo("to try it yourself: `make up`, then `.venv/bin/teddy status`; see docs/guide.md")
    click.echo(f"`make up` also prints addresses of the pages of {', '.join(others)} and {last}")
    return played.returncode
