"""The ways to notify a parent."""

from typing import Protocol

from shared.read_models.deliveries import DeliveryDocument
from shared.read_models.documents import AlertDocument


class NotDelivered(Exception):
    """It did not work this time. `reason` is a class of failure: nothing of what was answered.

    `of_the_receiver`: everybody else's deliveries by this channel would fail as well.
    """

    def __init__(self, reason: str, *, of_the_receiver: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.of_the_receiver = of_the_receiver


class Channel(Protocol):
    """Raises NotDelivered. Bounds no time: its lane does."""

    async def deliver(self, delivery: DeliveryDocument) -> None: ...


def alert_of(delivery: DeliveryDocument) -> AlertDocument:
    """The alert, as it was raised."""
    return AlertDocument(
        _id=delivery["alert_id"],
        child_id=delivery["child_id"],
        parent_id=delivery["parent_id"],
        rule=delivery["rule"],
        event_id=delivery["event_id"],
        violation_id=delivery["violation_id"],
        violation_type=delivery["violation_type"],
        severity=delivery["severity"],
        channels=delivery["channels"],
        raised_at=delivery["raised_at"],
        delivered={},
    )
