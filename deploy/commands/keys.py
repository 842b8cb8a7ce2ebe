"""The commands `keys ...`: the file of keys, and rotation of the key that wraps all others."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from deploy.proofs.key_rotation import RotationRefused, add_kek, mislabelled, remove_kek, rewrap_all
from shared.clock import utc_now
from shared.command_line import Table, progress
from shared.event_store.port import StoreUnavailable
from shared.keyring.key_file import FileKeyProvider, create_key_file, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import SealBroken
from shared.mongo import Mongo
from shared.settings import KeyringSettings, load_settings

SHOWN = 20
Work = Callable[[MongoKeyStore, Path], Awaitable[None]]


@click.group()
def keys() -> None:
    """The file of key-encryption and index keys."""


@keys.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def init(path: Path) -> None:
    """Write fresh keys to PATH (mode 0600); an existing file is left as it is."""
    state = "unchanged" if path.exists() else "created"
    create_key_file(path)
    click.echo(f"{path}: {state}")


@keys.command()
def status() -> None:
    """Which key-encryption keys there are, and how many data keys each one wraps."""
    _run(_show)


@keys.command()
@click.option(
    "--resume", is_flag=True, help="Create no new key; continue rewrapping under the active one."
)
def rotate(*, resume: bool) -> None:
    """Make a fresh key-encryption key the active one and wrap all data keys under it. Events are
    not touched, and running processes need no restart."""

    async def work(store: MongoKeyStore, path: Path) -> None:
        active = read_key_file(path).active if resume else add_kek(path, utc_now())
        provider = FileKeyProvider(read_key_file(path))
        click.echo(f"{active} is the active key")
        with progress("data keys rewrapped") as tell:
            moved = await rewrap_all(store, provider, active, tell)
        click.echo(f"{moved.number:,} data keys rewrapped under {active}")
        for child_id, reason in list(moved.unopened.items())[:SHOWN]:
            click.echo(f"child {child_id}: unchanged: {reason}")
        if moved.unopened:
            click.echo(f"teddy: {len(moved.unopened):,} data keys cannot be decrypted", err=True)
            sys.exit(1)

    _run(work)


@keys.command()
@click.argument("kek_id", metavar="KEK")
def retire(kek_id: str) -> None:
    """Take KEK out of the key file; refused while a data key is wrapped under it, whatever the
    database says. Backups of the data keys from before the rotation can then not be opened any
    more."""

    async def work(store: MongoKeyStore, path: Path) -> None:
        hidden = await mislabelled(store, read_key_file(path), kek_id)
        if hidden:
            raise RotationRefused(
                f"{kek_id} stays: {len(hidden):,} data keys are wrapped under it although the "
                f"database names another key, first that of child {hidden[0]}: their `kek_id` "
                "was changed; set it to this key, then run `teddy keys rotate --resume`"
            )
        remove_kek(path, kek_id, (await store.count_by_kek()).get(kek_id, 0), utc_now())
        click.echo(f"{kek_id} is removed from {path}")

    _run(work)


async def _show(store: MongoKeyStore, path: Path) -> None:
    known, counts = read_key_file(path), await store.count_by_kek()
    table = Table("key", "state", "data keys")
    for kek_id in [*known.keks, *sorted(counts.keys() - known.keks.keys())]:
        state = "active" if kek_id == known.active else "replaced"
        shown = state if kek_id in known.keks else "not in the key file"
        table.add(kek_id, shown, f"{counts.get(kek_id, 0):,}")
    table.print()


def _run(work: Work) -> None:
    """Exit code 2 for what is refused, the file being as it was; 1 when it could not be done."""
    settings = load_settings(KeyringSettings)

    async def connected() -> None:
        mongo = Mongo(settings.keys_mongo_url, settings.mongo_driver)
        store = MongoKeyStore(mongo.database(settings.keys_database))
        try:
            await work(store, settings.key_file)
        finally:
            await store.close()
            await mongo.close()

    try:
        asyncio.run(connected())
    except RotationRefused as refused:
        raise click.UsageError(str(refused)) from None
    except (StoreUnavailable, SealBroken) as error:
        click.echo(f"teddy: {error}", err=True)
        sys.exit(1)
