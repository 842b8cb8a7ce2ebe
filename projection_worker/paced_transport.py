"""Faust's Kafka transport for a broker without long polling: asked only when Faust asks.

aiokafka fetches ahead all the time and relies on the broker to hold an empty fetch open. A broker
that answers at once, as the light one of the local stack does, is then asked thousands of times a
second: an idle worker costs most of a core. Here partitions are paused between Faust's own fetches.
"""

import asyncio
from typing import Any

import aiokafka
import faust
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver

FETCH_SECONDS = 0.005
PAUSE_SECONDS = 0.05
"""Between two fetches that found nothing."""


class PacedConsumerThread(driver.AIOKafkaConsumerThread):
    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[Any],
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the signature is Faust's
        max_records: int | None = None,
    ) -> Any:
        assigned = consumer.assignment()
        consumer.resume(*assigned)
        try:
            records = await super()._fetch_records(
                consumer, active_partitions, FETCH_SECONDS, max_records
            )
        finally:
            try:
                consumer.pause(*(assigned & consumer.assignment()))
            except IllegalStateError:
                assigned = set()  # they were given away meanwhile
        if not records:
            await asyncio.sleep(PAUSE_SECONDS)
        return records


class PacedConsumer(driver.Consumer):
    def _new_consumer_thread(self) -> PacedConsumerThread:
        return PacedConsumerThread(self, loop=self.loop, beacon=self.beacon)


class PacedTransport(driver.Transport):
    Consumer = PacedConsumer


def pace(app: faust.App) -> None:
    """Let `app` consume through a paced transport."""
    app.transport = PacedTransport(app.conf.broker_consumer, app)
