"""Deliveries of alerts as metrics."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from shared.events.child import AlertChannel
from shared.read_models.deliveries import DeliveryState, OpenDeliveries

OPEN = (DeliveryState.PENDING, DeliveryState.FAILED)


class NotificationMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        gauge, counter = partial(Gauge, registry=registry), partial(Counter, registry=registry)
        open_ones = "Pending and failed deliveries of alerts, of all workers."
        self._open = gauge("teddy_deliveries", open_ones, ["channel", "state"])
        oldest = "Age of the oldest pending delivery, of all workers."
        self._waiting = gauge("teddy_delivery_waiting_seconds", oldest, ["channel"])
        attempts = "Delivery attempts of this worker by outcome."
        self._attempts = counter("teddy_delivery_attempts_total", attempts, ["channel", "outcome"])
        invalid = "Invalid records on the topic of alerts."
        self._skipped = counter("teddy_alert_notices_skipped_total", invalid)

    def open(self, found: Mapping[tuple[str, str], OpenDeliveries], now: datetime) -> None:
        for channel in AlertChannel:
            for state in OPEN:
                some = found.get((channel, state))
                self._open.labels(channel, state).set(some.count if some else 0)
            waiting = found.get((channel, DeliveryState.PENDING))
            seconds = (now - waiting.oldest).total_seconds() if waiting else 0.0
            self._waiting.labels(channel).set(max(0.0, seconds))

    def attempted(self, channel: str, outcome: str) -> None:
        """`outcome`: delivered, retried or failed."""
        self._attempts.labels(channel, outcome).inc()

    def skipped(self) -> None:
        self._skipped.inc()
