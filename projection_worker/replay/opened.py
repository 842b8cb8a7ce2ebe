"""What the replay commands work on: both stores and the keys, opened from the settings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from projection_worker.projections.rules import Rules
from projection_worker.replay.verify import Verifier
from shared.event_store.mongo import MongoEventStore
from shared.keyring.key_file import read_key_file
from shared.keyring.keyring import Keyring
from shared.keyring.mongo_key_store import MongoKeyStore
from shared.keyring.search_index import SearchIndex
from shared.keyring.watched_key_file import WatchedKeyFile
from shared.mongo import Database, Mongo
from shared.read_models.generations import Generation
from shared.read_models.models import ALL_MODELS, Model
from shared.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Opened:
    """`database` holds the read models, `commits` the event store."""

    settings: WorkerSettings
    read: Mongo
    database: Database
    commits: Database
    store: MongoEventStore
    keyring: Keyring
    index: SearchIndex

    def verifier(
        self,
        generation: Generation,
        models: frozenset[Model] = ALL_MODELS,
        rules: Rules | None = None,
    ) -> Verifier:
        """Compares `generation` with a fold of the event store, by its own rules or by `rules`."""
        return Verifier(
            self.store,
            self.read,
            self.database,
            generation,
            self.keyring,
            self.index,
            models,
            rules,
        )


@asynccontextmanager
async def opened(settings: WorkerSettings) -> AsyncIterator[Opened]:
    """Everything is closed behind the block. Raises KeyFileRefused."""
    key_file = read_key_file(settings.key_file)
    async with AsyncExitStack() as stack:
        urls = (settings.write_mongo_url, settings.read_mongo_url, settings.keys_mongo_url)
        write, read, keys = (Mongo(url, settings.mongo_driver) for url in urls)
        for mongo in (write, read, keys):
            stack.push_async_callback(mongo.close)
        key_store = MongoKeyStore(keys.database(settings.keys_database))
        stack.push_async_callback(key_store.close)
        commits = write.database(settings.write_database)
        yield Opened(
            settings,
            read,
            read.database(settings.read_database),
            commits,
            MongoEventStore(commits),
            Keyring(WatchedKeyFile(settings.key_file), key_store, settings.keyring_cache_size),
            SearchIndex(key_file.index_key),
        )
