"""The commands `dead-letter ...`: what is dead-lettered, why, and what becomes of it.

Exit code 0 also when nothing is dead-lettered; 2 for invalid arguments, without effect; 1 when a
server did not answer."""

from pathlib import Path

import click

from projection_worker.dead_letters import display
from projection_worker.dead_letters.redrive import (
    Discard,
    Judged,
    Redrive,
    Verdict,
    open_producer,
    publish_unmarked,
)
from projection_worker.dead_letters.store import DeadLetter, DeadLetteredSequences
from projection_worker.session import Stores, format_option, run

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
        sequences = await DeadLetteredSequences(on.database).find(child_id)
        if child_id is not None and not sequences:
            raise _unknown(child_id)
        show = display.print_sequences if form == "json" else display.show_sequences
        show(sequences[:limit])

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
                display.show_letter(letter)
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
        children = await _dead_lettered_children(on, child_id, limit)
        dead_lettered = DeadLetteredSequences(on.database)
        redrive = Redrive(on.database, dead_lettered, on.store, from_store=from_store)
        plans = [await redrive.plan(child) for child in children]
        if child_id is not None and not plans[0].letters and not from_store:
            raise click.UsageError(f"no record of {child_id} is dead-lettered: use --from-store")
        if not dry_run:
            async with open_producer(on.settings.kafka) as producer:
                for plan in plans:
                    await redrive.carry_out(plan, producer)
        display.show_redriven(plans, dry_run=dry_run)

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
        display.show_judged(judged, dry_run=dry_run)

    run(work)


def _require_one(identity: str | None, child_id: str | None) -> None:
    if (identity is None) == (child_id is None):
        raise click.UsageError("name either one record (topic/partition/offset) or --child ID")


def _require_nothing_needed(judged: list[Judged]) -> None:
    needed = [one.letter for one in judged if one.verdict is Verdict.NEEDED]
    if needed:
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


async def _dead_lettered_children(on: Stores, child_id: str | None, limit: int | None) -> list[str]:
    """Each once; without those that no key names: no read model could ever show them."""
    sequences = await DeadLetteredSequences(on.database).find(child_id)
    if child_id is not None and not sequences:
        raise _unknown(child_id)
    return list(dict.fromkeys(one.child_id for one in sequences if one.child_id))[:limit]


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
