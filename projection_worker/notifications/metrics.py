"""What the worker counts of deliveries."""

from collections.abc import Mapping

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from shared.events.child import AlertChannel
from shared.read_models.deliveries import DeliveryState

OPEN = (DeliveryState.PENDING, DeliveryState.FAILED)


class NotificationMetrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._open = Gauge(
            "teddy_deliveries",
            "Deliveries of alerts that wait or failed, of all workers.",
            ["channel", "state"],
            registry=registry,
        )
        self._attempts = Counter(
            "teddy_delivery_attempts_total",
            "Attempts of this worker to deliver an alert, by what came of it.",
            ["channel", "outcome"],
            registry=registry,
        )
        self._skipped = Counter(
            "teddy_alert_notices_skipped_total",
            "Records on the topic of alerts that are none.",
            registry=registry,
        )

    def open(self, counts: Mapping[tuple[str, str], int]) -> None:
        for channel in AlertChannel:
            for state in OPEN:
                self._open.labels(channel, state).set(counts.get((channel, state), 0))

    def attempted(self, channel: str, outcome: str) -> None:
        """`outcome`: delivered, retried or failed."""
        self._attempts.labels(channel, outcome).inc()

    def skipped(self) -> None:
        self._skipped.inc()
