"""The commands `audit ...`: who asked for what, who saw what, and whether anybody tampered."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import jwt
import orjson

from deploy.commands.session import KEYS_OPTION, open_databases, print_findings, print_report
from deploy.proofs.trail_export import NotAnExport, bear_of, check_export, write_export
from deploy.proofs.verify_trail import HeadsOnTime
from deploy.proofs.verify_trail import verify as verify_all
from deploy.settings import AuditToolSettings
from projection_worker.session import format_option, run_on
from shared.audit.block_check import Report
from shared.audit.heads import read_file
from shared.audit.record import Record
from shared.audit.records_of_children import Wanted, find_records
from shared.audit.signed_trail import SignedTrail, signed_trail
from shared.audit.store import AuditStore
from shared.clock import utc_now
from shared.command_line import Moment, Table
from shared.event_store.mongo import MongoEventStore
from shared.event_store.mongo_claims import MongoClaimStore
from shared.keyring.key_file import read_key_file
from shared.settings import KeyFileSettings, load_settings
from shared.signing import StatementVerifier, read_jwks

COLUMNS = ("at", "subject", "role", "operation", "outcome", "address", "children")


@dataclass(frozen=True, slots=True)
class AuditStores:
    settings: AuditToolSettings
    trail: AuditStore
    commits: MongoEventStore
    claims: MongoClaimStore
    jwks: dict[str, Any]

    def signed_trail(self) -> SignedTrail:
        """Raises OSError, ValueError, SigningKeyRefused."""
        return signed_trail(self.settings, self.trail)


@asynccontextmanager
async def open_audit_stores() -> AsyncIterator[AuditStores]:
    """The trail and the event store, from the settings."""
    settings = load_settings(AuditToolSettings)
    async with open_databases(settings, "audit", "write") as (audit, write):
        jwks = read_jwks(settings.proof_keys_file)
        commits, claims = MongoEventStore(write), MongoClaimStore(write)
        yield AuditStores(settings, AuditStore(audit), commits, claims, jwks)


@click.group()
def audit() -> None:
    """The audit trail: look into it, verify it, take a copy."""


@audit.command()
@click.option("--child", "child_id", help="Only records about this child.")
@click.option("--subject", help="Only requests of this subject.")
@click.option(
    "--device",
    metavar="ID",
    help="Only requests by bears of the child that has the bear with this device id now.",
)
@click.option("--operation", help="Only this command or query, e.g. GetChildProfile.")
@click.option("--from", "since", type=Moment(), help="Not before this time.")
@click.option("--to", "until", type=Moment(), help="Before this time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option(
    "--every-block",
    is_flag=True,
    help="Read the whole trail instead of the index, in which an attacker with the "
    "database's password may have hidden records; slow.",
)
@format_option()
def show(limit: int, form: str, device: str | None, every_block: bool, **asked: Any) -> None:
    """Show records, the newest first. Exit code 1 when what was read was altered."""
    if device is not None and asked["subject"] is not None:
        raise click.UsageError("--device and --subject exclude each other")

    async def work(on: AuditStores) -> None:
        report = Report()
        if device is not None:
            index_key = read_key_file(load_settings(KeyFileSettings).key_file).index_key
            asked["bear"] = await bear_of(on.claims, index_key, device)
        records = await find_records(
            on.trail, Wanted(**asked), limit, report, every_block=every_block
        )
        if form == "json":
            for record in records:
                click.echo(orjson.dumps(record))
        else:
            _print_table(records)
        print_findings(report)

    run_on(open_audit_stores, work)


@audit.command()
@click.option(
    "--heads",
    "heads_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of signed audit heads; default: TEDDY_AUDIT_HEADS_FILE.",
)
@KEYS_OPTION
def verify(heads_file: Path | None, keys_file: Path | None) -> None:
    """Check every audit record, every signed head and every child's commits.

    Names what was edited, deleted, reordered or truncated. Exit code 1 when anything was.
    """

    async def work(on: AuditStores) -> None:
        file = heads_file or on.settings.audit_heads_file
        elsewhere = read_file(file) if file is not None and file.exists() else None
        verifier = StatementVerifier(read_jwks(keys_file) if keys_file else on.jwks)
        on_time = HeadsOnTime(utc_now, on.settings.audit_head_seconds)
        report = await verify_all(on.trail, on.commits, verifier, elsewhere, on_time)
        if elsewhere is None:
            click.echo("no heads file: only heads in the database are checked", err=True)
        print_report(report)

    run_on(open_audit_stores, work)


@audit.command()
@click.option("--from", "since", type=Moment(), required=True, help="Not before this time.")
@click.option("--to", "until", type=Moment(), required=True, help="Before this time.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(since: datetime, until: datetime, file: Path) -> None:
    """Write the records of a time and what proves them to a new FILE, as JSON lines. Exit code 1
    when the trail was altered; the file records it, too."""
    if since >= until:
        raise click.UsageError("--from must be before --to")

    async def work(on: AuditStores) -> None:
        try:
            output = file.open("xb")
        except OSError as error:
            raise click.UsageError(f"{file}: {error.strerror}") from None
        report = Report()
        with output:
            written = await write_export(on.signed_trail(), since, until, output, report)
        click.echo(f"{file}: {written.records} records", nl=not written.unsigned)
        if written.unsigned:
            click.echo(f"; {written.unsigned} more are not signed yet")
        print_findings(report)

    run_on(open_audit_stores, work)


@audit.command("verify-export")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@KEYS_OPTION
def verify_export(file: Path, keys_file: Path | None) -> None:
    """Check an exported FILE offline. Exit code 1 when it was altered."""
    try:
        keys = read_jwks(keys_file) if keys_file else None
        report = check_export(file.read_bytes().splitlines(), keys)
    except (NotAnExport, ValueError, jwt.PyJWTError) as error:
        raise click.UsageError(f"{file}: {error}") from None
    print_report(report)


def _print_table(records: Sequence[Record]) -> None:
    table = Table(*COLUMNS)
    for record in records:
        cells = {**record, "children": "\n".join(record["children"])}
        table.add(*(str(cells[column]) for column in COLUMNS))
    table.print()
