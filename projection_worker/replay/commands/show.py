"""`teddy replay show`: one child's events up to a point, and its read models at that point."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from projection_worker.projecting.decoding import UNREADABLE
from projection_worker.projecting.generations import rules_of
from projection_worker.replay.commands.console import counting
from projection_worker.replay.documents import ChildFold, Folded, Personals
from projection_worker.replay.histories import ends_at, relevant_pages
from projection_worker.replay.history_display import JsonDisplay, Span, TableDisplay
from projection_worker.session import Failed, NotFound, Refused, Stores, format_option, run
from shared.audit.process import record_look
from shared.audit.settings import AuditSettings
from shared.clock import iso
from shared.command_line import moment_of
from shared.event_store.envelope import Commit, RecordedEvent
from shared.event_store.port import EventStore, pages
from shared.read_models.generations import live_generation
from shared.settings import load_settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which versions: up to `until`, a version or what was recorded by a time; from `first` on, or
    the newest; `limit` at most. None: no bound."""

    until: int | datetime | None = None
    first: int | None = None
    limit: int | None = None


async def span_of(store: EventStore, child_id: str, wanted: Wanted) -> Span:
    """Raises NotFound or Refused."""
    newest = await store.last(child_id)
    if newest is None:
        raise NotFound(f"no child {child_id} is in the event store")
    end = newest.last_version
    point = await _point(store, child_id, wanted.until, end)
    limit = point if wanted.limit is None else wanted.limit
    first = max(1, point - limit + 1) if wanted.first is None else wanted.first
    if not 1 <= first <= point:
        raise Refused(f"--from-version: the versions up to that point are 1 to {point}")
    return Span(child_id, first, min(point, first + limit - 1), point, end)


async def events_within(
    store: EventStore, span: Span
) -> AsyncIterator[list[tuple[Commit, RecordedEvent]]]:
    """A page at a time, each event with its commit."""
    async for commits in pages(store, span.child_id, span.first - 1):
        page = [
            (commit, event)
            for commit in commits
            for event in commit.recorded_events()
            if span.first <= event.version <= span.last
        ]
        if page:
            yield page
        if commits[-1].last_version >= span.last:
            return


async def view_at(on: Stores, span: Span, seen: Callable[[int], Awaitable[None]]) -> Folded:
    """The read models at the point. `seen` takes how many more events were folded. Raises
    Failed."""
    child_id, point = span.child_id, span.point
    cipher = (await on.keyring.ciphers([child_id])).get(child_id)
    ends = await ends_at(on.store, child_id)
    rules = await rules_of(on.database, await live_generation(on.database))
    counting = ends if ends <= point else 0
    fold, done = ChildFold(cipher, on.index, rules, counting), 0
    try:
        async for events in relevant_pages(on.store, child_id, 0, counting):
            fold.add(event for event in events if event.version <= point)
            await seen(events[-1].version - done)
            done = events[-1].version
            if done >= point:
                break
    except UNREADABLE as error:
        raise Failed(f"the history cannot be folded: {type(error).__name__}: {error}") from None
    return fold.folded()


async def _point(store: EventStore, child_id: str, until: int | datetime | None, end: int) -> int:
    if until is None:
        return end
    if isinstance(until, int):
        if not 1 <= until <= end:
            raise Refused(f"--until: the child's versions are 1 to {end}")
        return until
    first = (await store.load(child_id, limit=1))[0]
    if first.recorded_at > until:
        raise Refused(f"--until: the child's first event was recorded {iso(first.recorded_at)}")
    return await _newest_by(store, child_id, until, end)


async def _newest_by(store: EventStore, child_id: str, until: datetime, end: int) -> int:
    """The newest version recorded by then, found by halving: versions are recorded in order."""
    known, beyond = 1, end + 1
    while beyond - known > 1:
        middle = (known + beyond) // 2
        commit = (await store.load(child_id, middle - 1, 1))[0]
        if commit.recorded_at <= until:
            known = max(middle, commit.last_version)
        else:
            beyond = min(middle, commit.first_version)
    return known


MOST_VERSIONS = 200
MOST_DOCUMENTS = 20


class Until(click.ParamType):
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
@click.option("--child", "child_id", required=True, help="The child.")
@click.option(
    "--until", type=Until(), help="Up to this version, or up to events recorded by this time."
)
@click.option(
    "--from-version",
    type=click.IntRange(1),
    help="First version to show. Default: the newest versions.",
)
@click.option(
    "--limit", type=click.IntRange(1), help=f"Most versions to show. Default: {MOST_VERSIONS}."
)
@click.option("--all", "everything", is_flag=True, help="Show the whole history.")
@click.option(
    "--documents",
    type=click.IntRange(1),
    default=MOST_DOCUMENTS,
    show_default=True,
    help="Most documents to show of each read model, the newest.",
)
@click.option(
    "--reveal", is_flag=True, help="Decrypt personal values; they are printed, not logged."
)
@format_option()
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

    The history is printed as it is read. All of it is folded, also what is not shown."""
    if everything and (limit is not None or from_version is not None):
        raise click.UsageError("--all shows the whole history: omit --limit, --from-version")
    wanted = Wanted(until, from_version, None if everything else limit or MOST_VERSIONS)
    if reveal:
        load_settings(AuditSettings)  # refused here, before anything is read

    async def work(on: Stores) -> None:
        span = await span_of(on.store, child_id, wanted)
        if reveal:
            await record_look(load_settings(AuditSettings), "ReplayShowReveal", [child_id])
        cipher = (await on.keyring.ciphers([child_id])).get(child_id)
        personals = Personals(child_id, cipher, reveal=reveal)
        kind = JsonDisplay if form == "json" else TableDisplay
        await show_history(on, span, kind(span, personals, documents))

    run(work)


async def show_history(on: Stores, span: Span, display: JsonDisplay | TableDisplay) -> None:
    """As it is read; then the read models that all of it adds up to."""
    display.begin()
    async for page in events_within(on.store, span):
        display.page(page)
    with counting("fold", span.point) as seen:
        folded = await view_at(on, span, seen)
    if folded.unopened is not None:
        click.echo(f"note: some values cannot be decrypted: {folded.unopened}", err=True)
    display.end(folded.view)
