"""How every replay command runs: stores open, refusals and failures in one line."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from projection_worker.replay.opened import Opened, opened
from projection_worker.replay.rebuild.cutover import CatalogChanged, NotCaughtUp
from projection_worker.replay.rebuild.leadership import AnotherRebuild
from projection_worker.replay.rebuild.processes import ProcessFailed
from projection_worker.replay.rebuild.rebuild import RebuildFailed, RebuildRefused
from projection_worker.replay.refusals import NotFound, Refused
from shared.audit.trail import AuditUnavailable
from shared.keyring.key_file import KeyFileRefused
from shared.lease import LeaseLost
from shared.settings import WorkerSettings, load_settings
from shared.signing_keys import SigningKeyRefused

Result = TypeVar("Result")


REFUSALS = (Refused, RebuildRefused, AnotherRebuild, KeyFileRefused, SigningKeyRefused)
FAILURES = (
    NotFound,
    RebuildFailed,
    ProcessFailed,
    NotCaughtUp,
    CatalogChanged,
    LeaseLost,
    AuditUnavailable,
)


def run(work: Callable[[Opened], Awaitable[Result]]) -> Result:
    """What `work` on the opened stores gives. A refusal ends the program with exit code 2, a
    failure with 1."""

    async def with_stores() -> Result:
        async with opened(load_settings(WorkerSettings)) as on:
            return await work(on)

    try:
        return asyncio.run(with_stores())
    except REFUSALS as error:
        raise click.UsageError(str(error)) from None
    except FAILURES as error:
        click.echo(f"teddy: {error}", err=True)
        sys.exit(1)
