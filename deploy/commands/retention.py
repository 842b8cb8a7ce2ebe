"""The commands `retention ...`: what is kept no longer, and its deletion."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from deploy.commands.session import open_databases
from deploy.proofs.purge import AuditPurge
from deploy.settings import LEAST_ACTIVITY_DAYS, LEAST_DAYS, RetentionSettings
from projection_worker.projecting.removal import behind, purge
from projection_worker.session import Failed, run_on
from shared.audit.store import AuditStore
from shared.clock import iso, utc_now
from shared.command_line import Table
from shared.mongo import Database
from shared.read_models.documents import Model
from shared.read_models.generations import (
    BEGINNING,
    CUTOFF_COLLECTION,
    RetentionCutoff,
    advance_cutoff,
    read_cutoff,
)
from shared.settings import load_settings

NAMES = {Model.ACTIVITY: "activity days", Model.ALERTS: "alerts"}
AUDIT = "audit records"
DAY = timedelta(days=1)


class CutoffMoved(Failed):
    """Nothing older than the stored cutoff is written or compared, and no setting allows it."""

    def __str__(self) -> str:
        return (
            f"nothing was deleted: {CUTOFF_COLLECTION} is later than any setting allows, "
            "so it was tampered with: delete the document, then run `teddy replay rebuild`"
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept, and for how long."""

    settings: RetentionSettings
    database: Database
    trail: AuditStore
    now: datetime

    @property
    def cutoff(self) -> RetentionCutoff:
        """What the settings ask for today."""
        days = self.settings.retention_activity_days, self.settings.retention_alert_days
        return _read_model_cutoff(self.now, *days)

    async def require_own_cutoff(self) -> None:
        """Raises CutoffMoved."""
        found = await read_cutoff(self.database)
        # a day more: an earlier run's clock may have been ahead
        if not found.is_at_most(
            _read_model_cutoff(self.now + DAY, LEAST_ACTIVITY_DAYS, LEAST_DAYS)
        ):
            raise CutoffMoved

    @property
    def audit_purge(self) -> AuditPurge | None:
        """None when the trail is kept for ever."""
        cutoff = _cutoff(self.now, self.settings.retention_audit_days)
        if cutoff is None:
            return None
        return AuditPurge(self.settings, self.trail, cutoff, utc_now)


@click.group()
def retention() -> None:
    """How long read models and the audit trail go back: TEDDY_RETENTION_*_DAYS."""


@retention.command()
def plan() -> None:
    """Show what `apply` would delete now, and change nothing."""

    async def work(on: Kept) -> None:
        await on.require_own_cutoff()
        table = Table("what", "kept for", "would be deleted", "oldest")
        found = await behind(on.database, on.cutoff)
        days = {
            Model.ACTIVITY: on.settings.retention_activity_days,
            Model.ALERTS: on.settings.retention_alert_days,
        }
        for model, one in found.items():
            table.add(NAMES[model], _kept_for(days[model]), f"{one.documents:,}", _text(one.oldest))
        expired = await on.audit_purge.expired() if on.audit_purge else []
        oldest = min((one.since for one in expired if one.since), default=None)
        records = sum(one.records for one in expired)
        unsigned = sum(one.unsigned for one in expired)
        kept_for = _kept_for(on.settings.retention_audit_days)
        table.add(AUDIT, kept_for, f"{records:,}", _text(oldest))
        table.print()
        _report_unsigned(unsigned)

    run_on(_open_kept, work)


@retention.command()
def apply() -> None:
    """Delete what is kept no longer. Run it daily; killed, the next one goes on."""

    async def work(on: Kept) -> None:
        await on.require_own_cutoff()
        await advance_cutoff(on.database, on.cutoff)
        # by the settings: the stored cutoff can be moved by anyone who can write to that database
        for model, documents in (await purge(on.database, on.cutoff)).items():
            click.echo(f"{documents:,} {NAMES[model]} deleted")
        if on.audit_purge is not None:
            deleted, unsigned = await on.audit_purge.apply()
            click.echo(f"{deleted:,} {AUDIT} deleted")
            _report_unsigned(unsigned)

    run_on(_open_kept, work)


@asynccontextmanager
async def _open_kept() -> AsyncIterator[Kept]:
    settings = load_settings(RetentionSettings)
    async with open_databases(settings, "read", "audit") as (database, audit):
        yield Kept(settings, database, AuditStore(audit), await _now(database))


async def _now(database: Database) -> datetime:
    """By the slower of two clocks: one that runs ahead would delete what is to be kept."""
    server: datetime = (await database.command("hello"))["localTime"]
    return min(utc_now(), server.replace(tzinfo=UTC))


def _cutoff(now: datetime, days: int) -> datetime | None:
    """The beginning of the first UTC day that is kept; None: for ever."""
    if not days:
        return None
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days)


def _report_unsigned(records: int) -> None:
    if records:
        click.echo(
            f"teddy: {records:,} {AUDIT} are kept although expired: no signed head covers them; "
            "`teddy audit verify` lists them",
            err=True,
        )


def _read_model_cutoff(now: datetime, activity_days: int, alert_days: int) -> RetentionCutoff:
    activity, alerts = _cutoff(now, activity_days), _cutoff(now, alert_days)
    return RetentionCutoff(activity.date().isoformat() if activity else "", alerts or BEGINNING)


def _kept_for(days: int) -> str:
    return f"{days:,} days" if days else "ever"


def _text(oldest: Any) -> str:
    if isinstance(oldest, datetime):
        return iso(oldest)
    return str(oldest) if oldest is not None else ""
