"""`teddy replay show`."""

from contextlib import suppress
from datetime import datetime
from typing import Any

import click

from projection_worker.replay.child_history import Span, Wanted, events_within, span_of, view_at
from projection_worker.replay.commands.running import run
from projection_worker.replay.history_display import Display, JsonDisplay, TableDisplay
from projection_worker.replay.opened import Opened
from projection_worker.replay.personal_values import Personals
from projection_worker.replay.progress import counting
from shared.audit.look import record_look
from shared.command_line import moment_of
from shared.settings import AuditSettings, load_settings

MOST_VERSIONS = 200
MOST_DOCUMENTS = 20


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
@click.option(
    "--from-version", type=click.IntRange(1), help="Begin here. Default: the newest versions."
)
@click.option(
    "--limit", type=click.IntRange(1), help=f"Most versions to show. Default: {MOST_VERSIONS}."
)
@click.option("--all", "everything", is_flag=True, help="Show the whole history, however long.")
@click.option(
    "--documents",
    type=click.IntRange(1),
    default=MOST_DOCUMENTS,
    show_default=True,
    help="Most documents to show of each read model, the newest.",
)
@click.option("--reveal", is_flag=True, help="Open personal values; they are printed, not logged.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def show(
    child_id: str,
    until: int | datetime | None,
    from_version: int | None,
    limit: int | None,
    documents: int,
    form: str,
    *,
    everything: bool,
    reveal: bool,
) -> None:
    """Show a child's history, and its read models as they were at a point of it.

    The history is printed as it is read. All of it is folded, also what is not shown.
    """
    if everything and (limit is not None or from_version is not None):
        raise click.UsageError("--all shows the whole history: leave out --limit, --from-version")
    wanted = Wanted(until, from_version, None if everything else limit or MOST_VERSIONS)
    if reveal:
        load_settings(AuditSettings)  # refused here, before anything is read

    async def work(on: Opened) -> None:
        span = await span_of(on.store, child_id, wanted)
        if reveal:
            await record_look(load_settings(AuditSettings), "ReplayShowReveal", [child_id])
        cipher = (await on.keyring.ciphers([child_id])).get(child_id)
        personals = Personals(child_id, cipher, reveal=reveal)
        kind = JsonDisplay if form == "json" else TableDisplay
        await show_history(on, span, kind(span, personals, documents))

    run(work)


async def show_history(on: Opened, span: Span, display: Display) -> None:
    """As it is read; then the read models that all of it adds up to."""
    display.begin()
    async for page in events_within(on.store, span):
        display.page(page)
    with counting("fold", span.point) as seen:
        folded = await view_at(on, span, seen)
    if folded.unopened is not None:
        click.echo(f"note: not every value opens: {folded.unopened}", err=True)
    display.end(folded.view)
