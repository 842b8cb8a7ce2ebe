"""The commands `evidence ...`: a safety violation with all that proves it, in one file."""

from pathlib import Path
from typing import Any

import click
import jwt
import orjson

from deploy.commands.audit import AuditStores, open_audit_stores
from deploy.commands.session import KEYS_OPTION, print_findings, print_report
from projection_worker.session import Refused, run_on
from shared.audit.block_check import Report
from shared.audit.bundle import (
    NoEvidence,
    NotEvidence,
    NotSignedYet,
    as_file,
    check_bundle,
    collect,
)
from shared.audit.process import record_look
from shared.clock import utc_now
from shared.signing import StatementVerifier, read_jwks


@click.group()
def evidence() -> None:
    """Evidence of a safety violation that anybody can check."""


@evidence.command()
@click.option("--child", "child_id", required=True)
@click.option("--violation", "violation_id", required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def export(child_id: str, violation_id: str, out: Path) -> None:
    """Write a new file: the violation's commits as stored, their proofs, and who viewed the child
    since. Personal values in it stay sealed. Exit code 1 when the trail was altered;
    the file records it, too."""
    if out.exists():
        raise click.UsageError(f"{out} exists already")

    async def work(on: AuditStores) -> None:
        await record_look(on.settings, "ExportEvidence", [child_id])
        report, trail = Report(), on.signed_trail()
        try:
            bundle = await collect(on.commits, trail, child_id, violation_id, utc_now(), report)
        except (NoEvidence, NotSignedYet) as error:
            raise Refused(str(error)) from None
        try:
            with out.open("xb") as file:
                file.write(as_file(bundle))
        except OSError as error:
            raise click.UsageError(str(error)) from None
        click.echo(f"{out}: {len(bundle['commits'])} commits, {len(bundle['audit'])} audit spans")
        print_findings(report)

    run_on(open_audit_stores, work)


@evidence.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@KEYS_OPTION
def verify(file: Path, keys_file: Path | None) -> None:
    """Check FILE offline: no settings, no stack. Exit code 1 when it was altered.

    Without --keys the file's own keys are taken: then it proves only that it fits itself.
    """
    try:
        bundle = orjson.loads(file.read_bytes())
        keys = read_jwks(keys_file) if keys_file else _keys_in(bundle)
        report, records = check_bundle(bundle, StatementVerifier(keys))
    except (NotEvidence, OSError, ValueError, jwt.PyJWTError) as error:
        raise click.UsageError(f"{file}: {error}") from None
    if keys_file is None:
        click.echo("note: checked with the file's own keys; pass --keys to verify the signer")
    for record in records:
        who, what = f"{record['subject']} ({record['role']})", record["operation"]
        click.echo(f"{record['at']}  {who}  {what}  {record['outcome']}")
    print_report(report)


def _keys_in(bundle: Any) -> dict[str, Any]:
    keys = bundle.get("keys") if isinstance(bundle, dict) else None
    if not isinstance(keys, dict) or not keys.get("keys"):
        raise NotEvidence("not an evidence file: it contains no keys")
    return keys
