"""`teddy demo`: a stack of its own, the eight scenarios on it, and nothing left running."""

import os
import shutil
import signal
import subprocess
import sys
import time

import click

from deploy.local import control
from deploy.local.operator_settings import check_settings
from deploy.local.state import StackFolder


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
    click.echo("to look around yourself: `make up`, then `.venv/bin/teddy status`; docs/guide.md")
    return played.returncode
