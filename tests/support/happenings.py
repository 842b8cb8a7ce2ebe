"""Facts as the command side and the relay make them: in the event store and on Kafka."""

from aiokafka import AIOKafkaProducer

from shared.clock import new_id, utc_now
from shared.event_store.envelope import Actor, Causality, NewCommit, StreamPosition
from shared.event_store.port import EventStore
from shared.events.child import (
    AlertChannel,
    AlertPolicy,
    AlertPolicyConfigured,
    ChildEvent,
    ChildRegistered,
    SafetyViolationReported,
    Severity,
)
from shared.events.personal import Personal
from shared.kafka import CHILD_EVENTS
from shared.keyring.keyring import Keyring
from shared.serialization.cloud_events import to_record
from shared.serialization.events import encode


class Happenings:
    def __init__(self, store: EventStore, keyring: Keyring, producer: AIOKafkaProducer) -> None:
        self._store = store
        self._keyring = keyring
        self._producer = producer
        self._positions: dict[str, StreamPosition] = {}

    def sent_by(self, producer: AIOKafkaProducer) -> "Happenings":
        """These children go on, through another producer."""
        others = Happenings(self._store, self._keyring, producer)
        others._positions = self._positions
        return others

    async def a_registered_child(self, name: str = "Mia") -> str:
        child_id = new_id()
        await self._happened(
            ChildRegistered(
                child_id=child_id,
                at=utc_now(),
                parent_id="parent-1",
                name=Personal(name),
                age=6,
                udid=Personal(f"udid-{child_id}"),
            )
        )
        return child_id

    async def a_severe_violation(self, child_id: str) -> None:
        await self._happened(
            SafetyViolationReported(
                child_id=child_id,
                at=utc_now(),
                violation_id=new_id(),
                violation_type="rude_words",
                severity=Severity.CRITICAL,
            )
        )

    async def garbage(self, child_id: str) -> None:
        """A record under the child's key that nobody can read."""
        await self._producer.send_and_wait(CHILD_EVENTS.name, b"?", child_id.encode())

    async def alerts_by_webhook_too(self, child_id: str) -> None:
        policy = AlertPolicy(channels=(AlertChannel.IN_APP, AlertChannel.WEBHOOK))
        await self._happened(AlertPolicyConfigured(child_id=child_id, at=utc_now(), policy=policy))

    async def _happened(self, event: ChildEvent) -> None:
        position = self._positions.get(event.child_id, StreamPosition())
        cipher = await self._keyring.create(event.child_id)
        commit = await self._store.append(
            NewCommit(
                child_id=event.child_id,
                expected=position,
                events=(encode(event, position.version + 1, cipher),),
                recorded_at=utc_now(),
                actor=Actor("parent-1", "parent"),
                causality=Causality(new_id()),
            )
        )
        self._positions[event.child_id] = commit.position
        for recorded in commit.recorded_events():
            record = to_record(recorded)
            await self._producer.send_and_wait(
                CHILD_EVENTS.name, record.value, record.key, headers=record.headers
            )
