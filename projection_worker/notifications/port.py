"""What became of alerts, as those see it who deliver them. Its adapter: delivery_store.py."""

from typing import Protocol

from shared.read_models.deliveries import DeliveryDocument


class Deliveries(Protocol):
    """Every method may raise PyMongoError: nothing was changed, or it is unknown whether."""

    async def of_alert(self, alert_id: str) -> list[DeliveryDocument]:
        """All of an alert; none where nobody is to be notified of it."""

    async def due(self, channel: str, most: int) -> list[str]:
        """Ids of deliveries that may be tried now, those that wait longest first."""

    async def claim(self, wanted_id: str) -> DeliveryDocument | None:
        """The delivery, for now the caller's alone; None when it is not due (any more)."""

    async def delivered(self, delivery: DeliveryDocument) -> bool:
        """Note it, whoever claimed it last; whether it was new."""

    async def not_delivered(self, delivery: DeliveryDocument, reason: str) -> bool:
        """Note why and when it is tried again; True when it was tried for the last time. What
        somebody else claimed meanwhile is theirs."""
