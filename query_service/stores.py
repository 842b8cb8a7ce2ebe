"""What the query API reads from: settings to ports and the connections behind them."""

import time
from dataclasses import dataclass
from functools import partial

from query_service.bus import Rendered
from query_service.cache.query_cache import QueryCache
from query_service.protection import ProtectionSources
from query_service.read_store.live_generation import READ_SECONDS, LiveGeneration
from query_service.read_store.mongo import MongoReadModels
from query_service.read_store.process_reports import MongoProcessReports
from query_service.read_store.whole_child import MongoWholeChild
from query_service.registry import Ports
from query_service.settings import QuerySettings
from query_service.sql.snapshots import snapshot_of_read_models
from shared.audit.heads import lines_of
from shared.audit.process import AuditProcess
from shared.audit.signed_trail import signed_trail
from shared.clock import utc_now
from shared.event_store.commit_documents import TIMEOUT_SECONDS
from shared.event_store.mongo import MongoEventStore
from shared.keyring.erased_list import MongoErasedList
from shared.keyring.key_file import KeyFile, WatchedKeyFile, read_key_file
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import Keyring
from shared.mongo import Mongo
from shared.signing import StatementSigner, read_signing_key


@dataclass(frozen=True, slots=True)
class Stores:
    """The ports, and the connections behind them; they are opened when they are used."""

    ports: Ports
    live: LiveGeneration
    mongos: tuple[Mongo, Mongo, Mongo]
    key_store: MongoKeyStore

    @property
    def keys_mongo(self) -> Mongo:
        return self.mongos[2]

    async def close(self) -> None:
        await self.key_store.close()
        for mongo in self.mongos:
            await mongo.close()


def open_stores(
    settings: QuerySettings, keys: KeyFile, cache: QueryCache[Rendered], audit: AuditProcess
) -> Stores:
    write, read, key = (
        Mongo(url, settings.mongo_driver, silence_ms=round(READ_SECONDS * 1_000))
        for url in (settings.write_mongo_url, settings.read_mongo_url, settings.keys_mongo_url)
    )
    keys_database = key.database(settings.keys_database)
    key_store = MongoKeyStore(keys_database, READ_SECONDS)
    database = read.database(settings.read_database)
    live = LiveGeneration(database, time.monotonic, cache.clear)
    commits = write.database(settings.write_database)
    erased, trail = MongoErasedList(keys_database, READ_SECONDS), audit.readable(READ_SECONDS)
    read_trail = partial(signed_trail, settings, audit.readable(TIMEOUT_SECONDS), lines_of)
    protection = ProtectionSources(
        erased,
        key_store,
        partial(read_key_file, settings.key_file),
        trail,
        read_trail,
        utc_now,
        time.monotonic,
    )
    ports = Ports(
        MongoReadModels(database, live),
        MongoWholeChild(database),
        MongoEventStore(commits, READ_SECONDS),
        Keyring(WatchedKeyFile(settings.key_file), key_store, settings.keyring_cache_size),
        keys,
        erased,
        StatementSigner(read_signing_key(settings.proof_key_file)),
        utc_now,
        snapshot_of_read_models,
        trail,
        read_trail,
        audit.trail,
        MongoProcessReports({"event store": commits, "read models": database}, time.monotonic),
        protection.kept(),
    )
    return Stores(ports, live, (write, read, key), key_store)
