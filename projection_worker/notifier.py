"""Tells the rest of the system what a batch changed: change notices, alerts, dead letters."""

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from projection_worker.dead_letter import Parked
from projection_worker.projector import Projected
from shared.kafka import Servers, client_options
from shared.read_models.notices import AlertNotice
from shared.topics import CHILD_ALERTS, DEAD_LETTERS, READ_MODEL_CHANGES

METADATA_MS = 5_000
"""How old the worker's clients let their list of brokers grow. aiokafka asks only brokers on that
list: one that still knew none but the broker which is now gone would never find the others."""


FORGOTTEN = (OutOfOrderSequenceNumber, ProducerFenced, UnknownProducerId)
"""What a broker that lost its disk says to a producer that it knew before, again and again."""


class Notifier:
    """Publishes with an idempotent producer; returns once the broker acknowledged everything."""

    def __init__(self, bootstrap: Servers) -> None:
        self._bootstrap = bootstrap
        self._producer = self._new_producer()

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def publish(self, projected: Projected) -> None:
        """Raises KafkaError: do it again then."""
        try:
            await self._publish(projected)
        except FORGOTTEN:
            await self._begin_anew()
            raise

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **client_options(self._bootstrap),
            enable_idempotence=True,
            acks="all",
            metadata_max_age_ms=METADATA_MS,
        )

    async def _begin_anew(self) -> None:
        fresh = self._new_producer()
        try:
            await fresh.start()
        except KafkaError:
            await fresh.stop()
            raise
        forgotten, self._producer = self._producer, fresh
        await forgotten.stop()

    async def _publish(self, projected: Projected) -> None:
        sends = [
            await self._producer.send(
                READ_MODEL_CHANGES.name, notice.to_json(), notice.child_id.encode()
            )
            for notice in projected.notices
        ]
        for alert in projected.alerts:
            value = AlertNotice.of(alert).to_json()
            key = alert["parent_id"].encode()
            sends.append(await self._producer.send(CHILD_ALERTS.name, value, key))
        await asyncio.gather(*sends, *(self._dead_letter(one) for one in projected.parked))

    async def _dead_letter(self, parked: Parked) -> None:
        """Some records leave no room for a reason: then their place is told, where the letter in
        the read store is whole."""
        record, reason = parked.raw, _reason(parked)
        try:
            await self._producer.send_and_wait(
                DEAD_LETTERS.name,
                record.value,
                record.key or b"",  # aiokafka sends nothing that has neither key nor value
                headers=[*record.headers, *reason],
            )
        except MessageSizeTooLargeError:
            left_out = ("teddy_left_out", b"too large to be copied")
            await self._producer.send_and_wait(
                DEAD_LETTERS.name, b"", b"", headers=[*reason, left_out]
            )


def _reason(parked: Parked) -> list[tuple[str, bytes]]:
    return [
        ("teddy_reason", parked.reason.encode()),
        ("teddy_source", parked.raw.identity.encode()),
    ]
