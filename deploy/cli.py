"""The `teddy` command: run, watch and examine the system."""

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError
from rich.text import Text

from deploy.commands.running_stack import READERS, one_click, setting, use_environment_of
from deploy.local import control, operator_settings, plans
from deploy.local.__main__ import main as supervise
from deploy.local.control import StackFailed
from deploy.local.operator_settings import check_settings
from deploy.local.state import READY, StackFolder
from deploy.topics import apply_topics
from shared.command_line import Table, run_command
from shared.event_store.port import StoreUnavailable
from shared.keyring.key_file import KeyFileRefused
from shared.keyring.keyring import SealBroken
from shared.settings import TopicSettings, load_settings
from shared.signing import SigningKeyRefused

WITH_STACK = {
    "verify": "projection_worker.replay.commands.verify:verify",
    "replay": "projection_worker.replay.__main__:replay",
    "dead-letter": "projection_worker.dead_letters.commands:dead_letter",
    "notifications": "projection_worker.notifications.commands:notifications",
    "audit": "deploy.commands.audit:audit",
    "evidence": "deploy.commands.evidence:evidence",
    "keys": "deploy.commands.keys:keys",
    "retention": "deploy.commands.retention:retention",
    "erase": "deploy.commands.erase:erase",
    "load": "deploy.load.cli:load",
    "seed": "deploy.seed.cli:seed",
    "sql": "deploy.commands.sql:sql",
}
"""Commands that take the settings of the running stack before they begin."""

ELSEWHERE = WITH_STACK | {
    "demo": "deploy.commands.running_stack:demo",
    "env": "deploy.commands.running_stack:env",
    "token": "deploy.commands.token:token",
}
"""Imported when they are called."""

EXPECTED = (
    StackFailed,
    KeyFileRefused,
    SigningKeyRefused,
    StoreUnavailable,
    SealBroken,
    KafkaError,
    PyMongoError,
    OSError,
    ValueError,
)
STARTS_STACK = frozenset({"up", "demo"})
OFFLINE = frozenset({("audit", "verify-export"), ("evidence", "verify"), ("keys", "init")})


class TeddyGroup(click.Group):
    """Finds commands of other packages by name, with the running stack's settings around them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = ELSEWHERE[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in STARTS_STACK and (exported := operator_settings.set_aside(os.environ)):
            click.echo(str(exported), err=True)
        is_offline = (name, next(iter(rest), "")) in OFFLINE
        if name in WITH_STACK and not is_offline and "--help" not in rest:
            use_environment_of(StackFolder(ctx.params["folder"]))
        return name, command, rest


@click.group(cls=TeddyGroup)
@click.option(
    "--dir",
    "folder",
    default=".teddy",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the local stack: state, logs, data, keys.",
)
@click.pass_context
def teddy(ctx: click.Context, folder: Path) -> None:
    """Run, watch and examine the Teddy system."""
    ctx.obj = StackFolder(folder)


@teddy.command()
@click.option("--foreground", is_flag=True, help="Run in the foreground; Ctrl-C stops the stack.")
@click.option("--servers-only", is_flag=True, help="Start MongoDB and Kafka, no services.")
@click.pass_obj
def up(folder: StackFolder, *, foreground: bool, servers_only: bool) -> None:
    """Start the local stack, or say that it runs."""
    check_settings(servers_only=servers_only)  # refused here, before anything is started
    running = folder.is_held()
    if running:
        click.echo(f"a stack runs in {folder.path} already")
    if foreground and not running:
        flags = ["--servers-only"] if servers_only else []
        sys.exit(supervise([str(folder.path), *flags]))
    state = control.up(folder, servers_only=servers_only, progress=click.echo)
    if state.broker:
        click.echo(f"Kafka is {state.broker}")
    if not state.servers_only:
        for name in ("command", "query"):
            click.echo(f"{name} API  http://{plans.LOOPBACK}:{state.ports[name]}/docs")
        for title, reader in READERS.items():
            address = one_click(state.environment, reader)
            click.echo(f"pages of {title}, for an hour  {address}")
        _print_warnings(asyncio.run(control.report(state)))
    click.echo(f"state and logs in {folder.path}; `teddy status`, `teddy logs`, `teddy down`")


def _print_warnings(reports: Sequence[control.ProcessReport]) -> list[str]:
    warnings = control.warnings_of(reports)
    for warning in warnings:
        click.echo(warning)
    return warnings


@teddy.command()
@click.pass_obj
def down(folder: StackFolder) -> None:
    """Stop the local stack; nothing of it is left running. Its data stays."""
    click.echo("stopped" if control.down(folder) else "nothing was running")


@teddy.command()
@click.pass_obj
def status(folder: StackFolder) -> None:
    """Show each process: pid, address, health, restarts, lag. Exit code 1 unless all are well."""
    state = folder.load()
    if state is None or not folder.is_held():
        raise click.UsageError(f"no stack runs in {folder.path}; start one with `teddy up`")
    table = Table("process", "pid", "address", "healthy", "restarts", "lag")
    reports = asyncio.run(control.report(state))
    for one in reports:
        health = Text("yes", "green") if one.healthy else Text("no", "red")
        table.add(one.name, one.pid, one.address, health, one.restarts, one.own.lag)
    table.print()
    if state.broker:
        click.echo(f"kafka is {state.broker}")
    if state.status != READY:
        click.echo(f"the stack is {state.status}")
    warnings = _print_warnings(reports)
    well = state.status == READY and all(one.healthy for one in reports) and not warnings
    sys.exit(0 if well else 1)


@teddy.command()
@click.argument("process", default="supervisor")
@click.option("-n", "lines", default=40, show_default=True, help="Number of lines from the end.")
@click.option("-f", "follow", is_flag=True, help="Follow the log.")
@click.pass_obj
def logs(folder: StackFolder, process: str, lines: int, *, follow: bool) -> None:
    """Show the log of a process: supervisor, mongod, kafka, command, relay, worker or query."""
    known = sorted(path.stem for path in folder.logs.glob("*.log"))
    if process not in known:
        raise click.UsageError(f"no log of {process!r}; there are: {', '.join(known) or 'none'}")
    path = str(plans.log_of(folder, process))
    options = ["-n", str(lines), *(["-f"] if follow else [])]
    sys.exit(subprocess.call(["tail", *options, path]))  # noqa: S603, S607 - a log of the stack


@teddy.group()
def topics() -> None:
    """Kafka topics."""


@topics.command("apply")
@click.option(
    "--replication",
    envvar="TEDDY_KAFKA_REPLICATION",
    default=1,
    show_default=True,
    show_envvar=True,
    type=click.IntRange(1, 7),
)
@click.pass_obj
def topics_apply(folder: StackFolder, replication: int) -> None:
    """Create the topics that are missing; exit code 1 when one differs from what it should be."""
    use_environment_of(folder)
    kafka = load_settings(TopicSettings).servers_at(setting(plans.KAFKA_BOOTSTRAP))
    reports = asyncio.run(apply_topics(kafka, replication))
    for one in reports:
        click.echo(f"{one.state:8} {one.name} {one.detail}")
    sys.exit(1 if any(one.state == "differs" for one in reports) else 0)


def main() -> None:
    """Run a command; a failure is one line on standard error and exit code 1 or 2."""
    run_command(teddy, "teddy", EXPECTED)


if __name__ == "__main__":
    main()
