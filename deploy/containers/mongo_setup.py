"""`python -m deploy.containers.mongo_setup FOLDER`: the replica set, the users, the indexes.

FOLDER is the one that `first_start` wrote for it. Repeating it changes nothing but passwords that
changed.
"""

import asyncio
from pathlib import Path

import click
import orjson
from pymongo.errors import OperationFailure, PyMongoError

from deploy.containers.accounts import ACCOUNTS, ENDS_OPERATIONS, STORES, Account
from deploy.local.readiness import REPLICA_SET, initiate
from projection_worker.projections import registry
from shared.command_line import run_command
from shared.event_store.mongo import ensure_indexes
from shared.event_store.port import StoreUnavailable
from shared.keyring.erased_list import ensure_erased_list_index
from shared.mongo import Database, Mongo
from shared.operations import COLLECTION as REQUESTED_OPERATIONS
from shared.operations import ensure_operation_indexes
from shared.read_models.generations import begin_catalog
from shared.read_models.indexes import ensure_read_model_indexes
from shared.settings import ReadModelSettings, load_settings

USER_EXISTS, ROLE_EXISTS = 51003, 51002
PRIMARY_SECONDS = 60.0
POLL_SECONDS = 0.2


async def set_up(folder: Path, address: str, read_models: ReadModelSettings) -> None:
    """The node at `address` (host:port) becomes a replica set with users and indexes; the first
    generation of the read models is begun with what `read_models` says.

    Raises OSError, ValueError, PyMongoError; TimeoutError when it is not primary within a minute.
    """
    passwords = orjson.loads((folder / "passwords.json").read_bytes())
    root_url = (folder / "root_url").read_text()
    await _initiate(root_url, address)
    mongo = Mongo(root_url, "pymongo")
    try:
        await _ensure_role(mongo.database(STORES["write"]))
        for account in ACCOUNTS:
            await _ensure_user(mongo.database("admin"), account, passwords[account.name])
        await ensure_indexes(mongo.database(STORES["write"]))
        await ensure_operation_indexes(mongo.database(STORES["write"]))
        await ensure_erased_list_index(mongo.database(STORES["keys"]))
        await _ensure_read_models(mongo.database(STORES["read"]), read_models)
    finally:
        await mongo.close()


async def _initiate(root_url: str, address: str) -> None:
    # a node that is in no set yet is asked directly
    mongo = Mongo(root_url.replace(f"replicaSet={REPLICA_SET}", "directConnection=true"), "pymongo")
    admin = mongo.database("admin")
    try:
        await initiate(admin, address)
        async with asyncio.timeout(PRIMARY_SECONDS):
            await _writable(admin)
    finally:
        await mongo.close()


async def _writable(admin: Database) -> None:
    """Returns once the node is primary."""
    while True:
        if (await admin.command("hello"))["isWritablePrimary"]:
            return
        await asyncio.sleep(POLL_SECONDS)


async def _ensure_role(write: Database) -> None:
    """Reading is what the `read` of its holder allows."""
    requests = {"db": STORES["write"], "collection": REQUESTED_OPERATIONS}
    wanted = {"privileges": [{"resource": requests, "actions": ["update"]}], "roles": []}
    try:
        await write.command({"createRole": ENDS_OPERATIONS, **wanted})
    except OperationFailure as error:
        if error.code != ROLE_EXISTS:
            raise
        await write.command({"updateRole": ENDS_OPERATIONS, **wanted})


async def _ensure_user(admin: Database, account: Account, password: str) -> None:
    wanted = {"pwd": password, "roles": account.roles()}
    try:
        await admin.command({"createUser": account.name, **wanted})
    except OperationFailure as error:
        if error.code != USER_EXISTS:
            raise
        await admin.command({"updateUser": account.name, **wanted})


async def _ensure_read_models(database: Database, settings: ReadModelSettings) -> None:
    limit = settings.conversation_limit_minutes
    catalog = await begin_catalog(database, registry.VERSION, limit)
    for generation in catalog.written_by(registry.VERSION):
        await ensure_read_model_indexes(database, generation)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--address", default="mongo:27017", show_default=True, help="The node, host:port.")
def mongo_setup(folder: Path, address: str) -> None:
    """Make the node a replica set; create its users and indexes. Exit code 1 when it fails."""
    asyncio.run(set_up(folder, address, load_settings(ReadModelSettings)))
    click.echo(f"replica set {REPLICA_SET} on {address}: {len(ACCOUNTS)} users, indexes in place")


if __name__ == "__main__":
    run_command(mongo_setup, "mongo_setup", (PyMongoError, StoreUnavailable, OSError, ValueError))
