"""The commands `dead-letter ...`: what is dead-lettered, why, and what becomes of it.

Exit code 0 also when nothing is dead-lettered; 2 for invalid arguments, without effect; 1 when a
server did not answer."""

from dataclasses import asdict
from pathlib import Path

import click

from projection_worker.dead_letters.redrive import (
    Discard,
    Judged,
    Redrive,
    Redriven,
    Verdict,
    open_producer,
    publish_unmarked,
)
from projection_worker.dead_letters.store import (
    DeadLetter,
    DeadLetteredSequence,
    DeadLetteredSequences,
)
from projection_worker.session import Stores, format_option, print_json, print_table, run
from shared.clock import iso
from shared.command_line import Table

NOBODY = "(no key)"
child_option = click.option("--child", "child_id", help="Only this child's records.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done.")
limit_option = click.option("--limit", type=click.IntRange(1), help="Maximum number of children.")


@click.group("dead-letter")
def dead_letter() -> None:
    """Records that could not be projected, and all later ones of the same child."""


@dead_letter.command("list")
@child_option
@limit_option
@format_option()
def list_(child_id: str | None, limit: int | None, form: str) -> None:
    """Show the dead-lettered children, the oldest first: records, first reason, since when."""

    async def work(on: Stores) -> None:
        sequences = await _sequences(on, child_id)
        if form == "json":
            print_json([{**asdict(one), "since": iso(one.since)} for one in sequences[:limit]])
        else:
            _show_sequences(sequences[:limit])

    run(work)


@dead_letter.command()
@click.argument("identity", required=False)
@child_option
@click.option(
    "--raw",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the record's value to this new file, byte for byte.",
)
def show(identity: str | None, child_id: str | None, file: Path | None) -> None:
    """Show dead-lettered records whole: IDENTITY (topic/partition/offset), or a child's all."""
    _require_one(identity, child_id)

    async def work(on: Stores) -> None:
        letters = await _letters(on, identity, child_id)
        if file is None:
            for letter in letters:
                _show_letter(letter)
        else:
            _write_raw(letters, file)

    run(work)


@dead_letter.command()
@child_option
@click.option("--all", "all_", is_flag=True, help="All dead-lettered children, oldest first.")
@limit_option
@click.option(
    "--from-store",
    is_flag=True,
    help="Publish the event store's events instead of the dead-lettered bytes, which may be "
    "damaged.",
)
@dry_run_option
def redrive(
    child_id: str | None, *, all_: bool, limit: int | None, from_store: bool, dry_run: bool
) -> None:
    """Publish dead letters again, whole sequences in order; known records are skipped."""
    if (child_id is not None) == all_:
        raise click.UsageError("redrive either --child ID or --all")
    if limit is not None and not all_:
        raise click.UsageError("--limit needs --all: a child's sequence is never split")

    async def work(on: Stores) -> None:
        sequences = await _sequences(on, child_id)
        # without those that no key names: no read model could ever show them
        children = list(dict.fromkeys(one.child_id for one in sequences if one.child_id))
        dead_lettered = DeadLetteredSequences(on.database)
        redrive = Redrive(on.database, dead_lettered, on.store, from_store=from_store)
        plans = [await redrive.plan(child) for child in children[:limit]]
        if child_id is not None and not plans[0].letters and not from_store:
            raise click.UsageError(f"no record of {child_id} is dead-lettered: use --from-store")
        if not dry_run:
            async with open_producer(on.settings.kafka) as producer:
                for plan in plans:
                    await redrive.carry_out(plan, producer)
        _show_redriven(plans, dry_run=dry_run)

    run(work)


@dead_letter.command()
@click.argument("identity", required=False)
@child_option
@dry_run_option
@click.option("--yes", is_flag=True, help="Confirm: discarded records cannot be recovered.")
@click.option("--force", is_flag=True, help="Also discard records that the read models still lack.")
def discard(
    identity: str | None, child_id: str | None, *, dry_run: bool, yes: bool, force: bool
) -> None:
    """Delete dead letters: IDENTITY (topic/partition/offset), or all of a child.

    The dead-letter topic keeps its copy."""
    _require_one(identity, child_id)
    if dry_run == yes:
        raise click.UsageError("discard either with --dry-run or with --yes")

    async def work(on: Stores) -> None:
        discard = Discard(on.database, DeadLetteredSequences(on.database), on.store)
        judged = await discard.judge(await _letters(on, identity, child_id))
        if not (force or dry_run):
            _require_nothing_needed(judged)
        if yes:
            await discard.carry_out([one.letter for one in judged])
            async with open_producer(on.settings.kafka) as producer:
                for child in {one.letter.dead_lettered.child_id for one in judged}:
                    await publish_unmarked(on.database, child, producer)
        _show_judged(judged, dry_run=dry_run)

    run(work)


def _require_one(identity: str | None, child_id: str | None) -> None:
    if (identity is None) == (child_id is None):
        raise click.UsageError("name either one record (topic/partition/offset) or --child ID")


def _require_nothing_needed(judged: list[Judged]) -> None:
    if needed := [one.letter for one in judged if one.verdict is Verdict.NEEDED]:
        raise click.UsageError(
            f"the read models lack {len(needed)} of these records, first "
            f"{needed[0].dead_lettered.raw.identity}: redrive (--from-store), or discard "
            "with --force"
        )


async def _letters(on: Stores, identity: str | None, child_id: str | None) -> list[DeadLetter]:
    dead_lettered = DeadLetteredSequences(on.database)
    if identity is not None:
        if letters := await dead_lettered.letters_at(identity):
            return letters
        raise click.UsageError(f"the record {identity} is not dead-lettered")
    if letters := await dead_lettered.letters_of(child_id or ""):
        return letters
    raise _unknown(child_id or "")


async def _sequences(on: Stores, child_id: str | None) -> list[DeadLetteredSequence]:
    sequences = await DeadLetteredSequences(on.database).find(child_id)
    if child_id is not None and not sequences:
        raise _unknown(child_id)
    return sequences


def _write_raw(letters: list[DeadLetter], file: Path) -> None:
    records = {letter.dead_lettered.raw.identity: letter.dead_lettered.raw for letter in letters}
    if len(records) > 1:
        raise click.UsageError(f"--raw writes one record, not {len(records)}: name its identity")
    (raw,) = records.values()
    try:
        with file.open("xb") as output:
            output.write(raw.value or b"")
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None
    click.echo(f"{file}: {len(raw.value or b'')} bytes of {raw.identity}")


def _unknown(child_id: str) -> click.UsageError:
    return click.UsageError(f"no record of the child {child_id} is dead-lettered")


def _show_sequences(sequences: list[DeadLetteredSequence]) -> None:
    table = Table("child", "generation", "records", "since", "first reason")
    for one in sequences:
        reason = one.reason if one.marked else f"{one.reason} (later records are not dead-lettered)"
        table.add(one.child_id or NOBODY, one.generation, one.records, iso(one.since), reason)
    _print(table, len(sequences))


def _show_letter(letter: DeadLetter) -> None:
    raw = letter.dead_lettered.raw
    version = "unreadable" if letter.version is None else letter.version
    click.echo(f"record      {raw.identity}")
    click.echo(f"child       {letter.dead_lettered.child_id or NOBODY}, version {version}")
    click.echo(f"generation  {letter.generation}, dead-lettered at {iso(letter.dead_lettered_at)}")
    click.echo(f"reason      {letter.dead_lettered.reason}")
    click.echo("headers")
    for name, value in raw.headers:
        click.echo(f"  {name}: {_escaped(value)}")
    size = "none" if raw.value is None else f"{len(raw.value)} bytes"
    click.echo(f"value       {size}")
    click.echo(f"  {_escaped(raw.value)}")
    click.echo("stack")
    for line in letter.dead_lettered.stack.splitlines():
        click.echo(f"  {line}")


def _show_redriven(redriven: list[Redriven], *, dry_run: bool) -> None:
    table = Table("child", "publish", "skip (already in the read models)", "letters removed")
    for one in redriven:
        table.add(one.child_id, one.number, one.skipped, len(one.letters))
    _print(table, len(redriven), dry_run=dry_run)


def _show_judged(judged: list[Judged], *, dry_run: bool) -> None:
    table = Table("record", "generation", "child", "version", "status")
    for one in judged:
        letter, dead_lettered = one.letter, one.letter.dead_lettered
        version = "unreadable" if letter.version is None else str(letter.version)
        child = dead_lettered.child_id or NOBODY
        table.add(dead_lettered.raw.identity, letter.generation, child, version, one.verdict)
    _print(table, len(judged), dry_run=dry_run)


def _print(table: Table, rows: int, *, dry_run: bool = False) -> None:
    print_table(table, rows, "nothing is dead-lettered")
    if dry_run:
        click.echo("dry run: nothing was changed")


def _escaped(value: bytes | None) -> str:
    """As Python writes bytes, without quotes: nothing reaches the terminal that would steer it."""
    return "(none)" if value is None else repr(value)[2:-1]
