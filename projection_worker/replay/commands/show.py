"""`teddy replay show`."""

from contextlib import suppress
from datetime import datetime
from typing import Any

import click
import orjson

from projection_worker.replay.child_history import history_of
from projection_worker.replay.commands.running import run
from projection_worker.replay.history_display import as_json, print_tables
from projection_worker.replay.opened import Opened
from projection_worker.replay.personal_values import Personals
from shared.audit.look import record_look
from shared.command_line import moment_of
from shared.settings import AuditSettings, load_settings


class Until(click.ParamType):
    """A version, or a time."""

    name = "time|version"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | datetime:
        if isinstance(value, int | datetime):
            return value
        with suppress(ValueError):
            return int(value)
        moment = moment_of(value)
        if moment is None:
            self.fail(
                f"{value!r} is neither a version nor a time like 2026-11-23T12:00Z", param, ctx
            )
        return moment


@click.command()
@click.option("--child", "child_id", required=True, help="Whose history.")
@click.option("--until", type=Until(), help="Up to this version, or what was recorded by then.")
@click.option("--reveal", is_flag=True, help="Open personal values; they are printed, not logged.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def show(child_id: str, until: int | datetime | None, *, reveal: bool, form: str) -> None:
    """Show a child's history, and its read models as they were at a point of it."""

    if reveal:
        load_settings(AuditSettings)  # refused here, before anything is read

    async def work(on: Opened) -> None:
        history = await history_of(on, child_id, until)
        if reveal:
            await record_look(load_settings(AuditSettings), "ReplayShowReveal", [child_id])
        if history.unopened is not None:
            click.echo(f"note: not every value opens: {history.unopened}", err=True)
        personals = Personals(child_id, history.cipher, reveal=reveal)
        if form == "json":
            click.echo(orjson.dumps(as_json(history, personals), option=orjson.OPT_INDENT_2))
        else:
            print_tables(history, personals)

    run(work)
