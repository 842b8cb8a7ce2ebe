"""The commands `notifications ...`: which alerts wait, which were given up, and trying them again.

Exit code 0 also when there is nothing to show; 2 for what cannot be meant; 1 when the store did not
answer."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import click

from projection_worker.notifications.delivery_store import DeliveryStore
from projection_worker.session import format_option, print_json, print_table, run_on
from shared.clock import iso, utc_now
from shared.command_line import Table
from shared.events.child import AlertChannel
from shared.mongo import Mongo
from shared.read_models.deliveries import DeliveryDocument, DeliveryState
from shared.settings import ReadStoreSettings, load_settings

MOST = 1_000
channel_option = click.option(
    "--channel", type=click.Choice([one.value for one in AlertChannel]), help="Only this channel."
)
limit_option = click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    default=MOST,
    show_default=True,
    help="Maximum number, oldest first.",
)


@click.group()
def notifications() -> None:
    """Deliveries of alerts to parents: each alert on each of its channels."""


@notifications.command("list")
@click.option(
    "--state",
    type=click.Choice([*(one.value for one in DeliveryState), "any"]),
    default=DeliveryState.FAILED.value,
    show_default=True,
    help="pending: not delivered yet; failed: not delivered within three days.",
)
@channel_option
@limit_option
@format_option()
def list_(state: str, channel: str | None, limit: int, form: str) -> None:
    """Show deliveries, those that failed unless told otherwise, and why."""

    async def work(store: DeliveryStore) -> None:
        wanted = None if state == "any" else DeliveryState(state)
        found = await store.find(limit, wanted, channel)
        if form == "json":
            print_json([_row(one) for one in found])
        else:
            _print_table(found)

    run_on(_open_deliveries, work)


@notifications.command()
@click.argument("delivery", required=False)
@click.option("--all", "all_", is_flag=True, help="All failed deliveries.")
@channel_option
@limit_option
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
def redrive(
    delivery: str | None, *, all_: bool, channel: str | None, limit: int, dry_run: bool
) -> None:
    """Let failed deliveries be tried again, with three days before them: DELIVERY, or --all."""
    if (delivery is not None) == all_:
        raise click.UsageError("redrive either one DELIVERY or --all")

    async def work(store: DeliveryStore) -> None:
        wanted = await store.find(limit, DeliveryState.FAILED, channel, delivery)
        if delivery is not None and not wanted:
            raise click.UsageError(f"no failed delivery {delivery}: see `teddy notifications list`")
        if dry_run:
            _print_table(wanted)
            click.echo(f"dry run: {len(wanted)} would be retried, nothing was changed")
        else:
            redriven = await store.redrive([one["_id"] for one in wanted])
            click.echo(f"{redriven} will be retried")

    run_on(_open_deliveries, work)


def _print_table(found: Sequence[DeliveryDocument]) -> None:
    table = Table("delivery", "state", "attempts", "since", "next attempt", "last error")
    for one in found:
        table.add(*_row(one).values())
    print_table(table, len(found), "no deliveries")


def _row(one: DeliveryDocument) -> dict[str, str | int]:
    waits = one["state"] == DeliveryState.PENDING
    return {
        "delivery": one["_id"],
        "state": one["state"],
        "attempts": one["attempts"],
        "since": iso(one["created_at"]),
        "next_attempt": iso(max(one["next_attempt_at"], one["created_at"])) if waits else "",
        "last_error": one["last_error"] or "",
    }


@asynccontextmanager
async def _open_deliveries() -> AsyncIterator[DeliveryStore]:
    settings = load_settings(ReadStoreSettings)
    mongo = Mongo(settings.read_mongo_url, settings.mongo_driver)
    try:
        yield DeliveryStore(mongo, mongo.database(settings.read_database), utc_now)
    finally:
        await mongo.close()
