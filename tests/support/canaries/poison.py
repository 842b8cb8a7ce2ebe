"""Events that cannot be folded, sealed under a child's own key: it goes wrong after they were
opened, with the canary in hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from aiokafka import AIOKafkaProducer

from deploy.local.state import StackState
from shared.clock import new_id, utc_now
from shared.event_store.envelope import RecordedEvent, event_id
from shared.events.child import ChildProfileUpdated
from shared.kafka import CHILD_EVENTS
from shared.keyring.key_file import WatchedKeyFile
from shared.keyring.key_store import MongoKeyStore
from shared.keyring.keyring import ChildCipher, Keyring, field_place
from shared.mongo import Mongo
from shared.serialization.cloud_events import to_record
from shared.serialization.events import encode
from shared.serialization.schema import ALL_LABELS, SEALED
from shared.settings import KeyringSettings
from tests.support.canaries.values import canary
from tests.support.consents import BORN

VERSION = BORN + 1
"""Of the event that comes next for a child that was only registered."""


@dataclass(frozen=True)
class Poison:
    """The plaintext that is sealed as `field` of an update."""

    field: str
    plaintext: bytes


POISONS = (
    Poison("name", canary("poison", 1).encode()),
    Poison("name", orjson.dumps({canary("poison", 2): canary("poison", 2)})),
    Poison("preferences", orjson.dumps(canary("poison", 3))),
    Poison("interests", orjson.dumps({canary("poison", 4): 1})),
    Poison(ALL_LABELS, orjson.dumps({"age": canary("poison", 5)})),
    Poison(ALL_LABELS, orjson.dumps(canary("poison", 6))),
)
NO_EVENT = b"not json"
DATABASE = KeyringSettings.model_fields["keys_database"].default


async def poison(state: StackState, children: Sequence[str]) -> None:
    """One poison a child, and a record that is no event at all."""
    ciphers = await _ciphers(state, children)
    bootstrap = state.environment["TEDDY_KAFKA_BOOTSTRAP"]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for child, one in zip(children, POISONS, strict=True):
            record = to_record(_event(child, one, ciphers[child]))
            await producer.send_and_wait(
                CHILD_EVENTS.name, record.value, record.key, headers=record.headers
            )
        await producer.send_and_wait(CHILD_EVENTS.name, NO_EVENT, new_id().encode())


def _event(child: str, poison: Poison, cipher: ChildCipher) -> RecordedEvent:
    good = encode(ChildProfileUpdated(child_id=child, at=utc_now(), age=8), VERSION, cipher)
    place = field_place(event_id(child, VERSION), poison.field, None)
    sealed = {poison.field: {SEALED: cipher.seal(poison.plaintext, place)}}
    return RecordedEvent(
        child_id=child,
        version=VERSION,
        type=good.type,
        schema_version=good.schema_version,
        occurred_at=good.occurred_at,
        recorded_at=good.occurred_at,
        data=orjson.dumps(orjson.loads(good.data) | sealed).decode(),
        correlation_id=new_id(),
    )


async def _ciphers(state: StackState, children: Sequence[str]) -> dict[str, ChildCipher]:
    environment = state.environment
    mongo = Mongo(environment["TEDDY_KEYS_MONGO_URL"])
    store = MongoKeyStore(mongo.database(DATABASE))
    provider = WatchedKeyFile(Path(environment["TEDDY_KEY_FILE"]))
    ciphers = await Keyring(provider, store).ciphers(children)
    await store.close()
    await mongo.close()
    return ciphers
