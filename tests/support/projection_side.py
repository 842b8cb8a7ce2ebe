"""The projector on a real read store: events go to a memory store, then are delivered."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from projection_worker.dead_letters.store import DeadLetters
from projection_worker.notifications.delivery_store import DeliveryStore
from projection_worker.projecting.alerts import BeforeLive
from projection_worker.projecting.decoding import EventSource
from projection_worker.projecting.generations import KeptGenerations
from projection_worker.projecting.projector import Projected, Projector
from projection_worker.projecting.read_model_store import ReadModelStore
from projection_worker.projections.rules import DEFAULT_RULES, Rules
from projection_worker.records import Delivered, RawRecord, deliver
from projection_worker.replay.verify.comparison import Verification
from projection_worker.replay.verify.verifier import Verifier
from shared.clock import utc_now
from shared.event_store.envelope import RecordedEvent, StreamPosition
from shared.event_store.port import EventStore
from shared.events.child import ChildErased, ChildEvent
from shared.kafka import CHILD_EVENTS
from shared.keyring.key_file import FileKeyProvider, KeyFile
from shared.keyring.key_store import KeyDestroyed, KeyStore
from shared.keyring.keyring import ChildCipher, Keyring, new_data_key
from shared.keyring.search_index import SearchIndex
from shared.mongo import Database, Mongo
from shared.read_models.documents import ALL_MODELS, Model
from shared.read_models.generations import (
    POINTER_COLLECTION,
    POINTER_ID,
    Generation,
    KeptGeneration,
    to_document,
)
from shared.serialization.cloud_events import to_record
from tests.fakes.event_store import MemoryEventStore
from tests.fakes.keys import MemoryKeyStore
from tests.support.commits import offer_of

GENERATION = Generation(1)
KEYS = KeyFile("kek", {"kek": b"k" * 32}, b"i" * 32, b"s" * 32)
RECORDED = datetime(2026, 11, 23, 13, tzinfo=UTC)


def delivered_of(recorded: RecordedEvent, offset: int) -> Delivered:
    """The event as Kafka brings it."""
    record = to_record(recorded)
    headers = tuple(record.headers)
    return deliver(RawRecord(CHILD_EVENTS.name, 0, offset, record.key, record.value, headers))


class ProjectionSide:
    """`happened` makes facts; `records` are what Kafka would bring of them, in order."""

    def __init__(self, mongo: Mongo, database: Database) -> None:
        self.database = database
        self.mongo = mongo
        self.store: EventStore = MemoryEventStore()
        self.keys: KeyStore = MemoryKeyStore()
        self.keyring = Keyring(FileKeyProvider(KEYS), self.keys)
        self.index = SearchIndex(KEYS.index_key)
        self.records: list[RawRecord] = []
        self.now = RECORDED
        self._positions: dict[str, StreamPosition] = {}
        self.projector = self.another_projector()

    def on(self, database: Database) -> "ProjectionSide":
        """The same facts and keys, projected into another database."""
        other = ProjectionSide(self.mongo, database)
        other.store, other.keys, other.keyring = self.store, self.keys, self.keyring
        other.projector = other.another_projector()
        return other

    def on_generation(
        self, generation: Generation, models: frozenset[Model] = ALL_MODELS
    ) -> Verifier:
        """Compares `models` of `generation` with the facts."""
        return Verifier(self.source, self.mongo, self.database, generation, models)

    def another_projector(
        self,
        generation: Generation = GENERATION,
        *,
        before_live: BeforeLive | None = None,
        rules: Rules = DEFAULT_RULES,
    ) -> Projector:
        """As in another worker process: nothing is shared but the databases."""
        return Projector(
            ReadModelStore(
                self.mongo,
                self.database,
                generation,
                before_live=before_live,
                clock=lambda: self.now,
            ),
            self.source,
            DeadLetters(self.database, utc_now, generation),
            rules=rules,
        )

    async def keep(self, *kept: KeptGeneration, live: int = 1) -> None:
        """The catalog has these generations, and the one of this number is live."""
        catalog = {"generation": live, "kept": [to_document(one) for one in kept]}
        pointer = self.database[POINTER_COLLECTION]
        await pointer.update_one({"_id": POINTER_ID}, {"$set": catalog}, upsert=True)

    @property
    def workers(self) -> KeptGenerations:
        """Of every generation that is kept."""
        return KeptGenerations(self.database, self.another_projector)

    @property
    def source(self) -> EventSource:
        return EventSource(self.store, self.keyring, self.index)

    async def happened(self, *events: ChildEvent) -> list[Delivered]:
        """Append `events`, one commit each; returns their deliveries."""
        delivered = []
        for event in events:
            recorded = await self._append(event)
            delivered.append(delivered_of(recorded, len(self.records)))
            self.records.append(delivered[-1].raw)
            if isinstance(event, ChildErased):
                await self.keys.destroy(event.child_id)
                self.keyring.forget(event.child_id)
        return delivered

    def went_on_from(self, child_id: str, position: StreamPosition) -> None:
        """The child's stream, written past this side, ends there."""
        self._positions[child_id] = position

    async def project(self, batch: Sequence[Delivered]) -> Projected:
        return await self.projector.project(batch)

    async def documents(self, model: Model) -> dict[str, dict[str, Any]]:
        found = await GENERATION.collection(self.database, model).find({}).to_list(None)
        return {document["_id"]: document for document in found}

    async def child(self, child_id: str) -> dict[str, Any]:
        return (await self.documents(Model.CHILDREN))[child_id]

    @property
    def deliveries(self) -> DeliveryStore:
        return DeliveryStore(self.mongo, self.database, lambda: self.now)

    async def delivered(self, alert_id: str, channel: str = "in_app") -> bool:
        """Note the delivery of an alert."""
        found = await self.deliveries.of_alert(alert_id)
        (delivery,) = (one for one in found if one["channel"] == channel)
        return await self.deliveries.delivered(delivery)

    async def verify(self) -> Verification:
        return await self.on_generation(GENERATION).verify()

    async def _append(self, event: ChildEvent) -> RecordedEvent:
        position = self._positions.get(event.child_id, StreamPosition())
        cipher = await self._cipher(event.child_id)
        commit = await self.store.append(offer_of([event], position, cipher, RECORDED))
        self._positions[event.child_id] = commit.position
        (recorded,) = commit.recorded_events()
        return recorded

    async def _cipher(self, child_id: str) -> ChildCipher:
        """Behind an erasure one whose key nobody keeps."""
        try:
            return await self.keyring.create(child_id)
        except KeyDestroyed:
            return ChildCipher(child_id, new_data_key())
