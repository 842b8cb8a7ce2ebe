"""Dead letters as text for operators."""

from collections.abc import Sequence
from dataclasses import asdict

import click

from projection_worker.dead_letters.redrive import Judged, Redriven
from projection_worker.dead_letters.store import DeadLetter, DeadLetteredSequence
from projection_worker.session import print_json, print_table
from shared.clock import iso
from shared.command_line import Table

NOBODY = "(no key)"


def show_sequences(sequences: Sequence[DeadLetteredSequence]) -> None:
    table = Table("child", "generation", "records", "since", "first reason")
    for one in sequences:
        reason = one.reason if one.marked else f"{one.reason} (later records are not dead-lettered)"
        table.add(one.child_id or NOBODY, one.generation, one.records, iso(one.since), reason)
    print_table(table, len(sequences), "nothing is dead-lettered")


def print_sequences(sequences: Sequence[DeadLetteredSequence]) -> None:
    print_json([{**asdict(one), "since": iso(one.since)} for one in sequences])


def show_letter(letter: DeadLetter) -> None:
    raw = letter.dead_lettered.raw
    version = "unreadable" if letter.version is None else letter.version
    click.echo(f"record      {raw.identity}")
    click.echo(f"child       {letter.dead_lettered.child_id or NOBODY}, version {version}")
    click.echo(f"generation  {letter.generation}, dead-lettered at {iso(letter.dead_lettered_at)}")
    click.echo(f"reason      {letter.dead_lettered.reason}")
    click.echo("headers")
    for name, value in raw.headers:
        click.echo(f"  {name}: {_escaped(value)}")
    click.echo(f"value       {_size(raw.value)}")
    click.echo(f"  {_escaped(raw.value)}")
    click.echo("stack")
    for line in letter.dead_lettered.stack.splitlines():
        click.echo(f"  {line}")


def show_redriven(redriven: Sequence[Redriven], *, dry_run: bool) -> None:
    table = Table("child", "publish", "skip (already in the read models)", "letters removed")
    for one in redriven:
        table.add(one.child_id, one.number, one.skipped, len(one.letters))
    print_table(table, len(redriven), "nothing is dead-lettered")
    if dry_run:
        click.echo("dry run: nothing was changed")


def show_judged(judged: Sequence[Judged], *, dry_run: bool) -> None:
    table = Table("record", "generation", "child", "version", "status")
    for one in judged:
        letter, dead_lettered = one.letter, one.letter.dead_lettered
        version = "unreadable" if letter.version is None else str(letter.version)
        child = dead_lettered.child_id or NOBODY
        table.add(dead_lettered.raw.identity, letter.generation, child, version, one.verdict)
    print_table(table, len(judged), "nothing is dead-lettered")
    if dry_run:
        click.echo("dry run: nothing was changed")


def _escaped(value: bytes | None) -> str:
    """As Python writes bytes, without the quotes: text stays text, and nothing reaches the terminal
    that would steer it."""
    return "(none)" if value is None else repr(value)[2:-1]


def _size(value: bytes | None) -> str:
    return "none" if value is None else f"{len(value)} bytes"
