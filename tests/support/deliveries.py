"""Deliveries of a sample alert."""

import asyncio
from typing import Any, cast

from shared.read_models.deliveries import DeliveryDocument, delivery_of
from tests.support.read_model_builders import NOON, alert_document

ALERT = alert_document("mia@2:threshold", child_id="mia", channels=["in_app", "webhook", "email"])


def delivery(channel: str = "webhook", **fields: Any) -> DeliveryDocument:
    """As whoever claimed it for the first time has it."""
    claimed = {"attempts": 1, "claim": "claim-1"}
    return cast(DeliveryDocument, {**delivery_of(ALERT, channel, NOON), **claimed, **fields})


class DeliveryLog:
    """Stands for the store: hands out what is due, and remembers what became of it. Raises what
    `troubles` hold, one a call."""

    def __init__(self, *due: DeliveryDocument) -> None:
        self.waiting = {one["_id"]: one for one in due}
        self.done: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.troubles: list[Exception] = []
        self.claim_error: Exception | None = None
        self.gives_up = False

    async def due(self, channel: str, most: int) -> list[str]:
        return [one["_id"] for one in self.waiting.values() if one["channel"] == channel][:most]

    async def claim(self, wanted_id: str) -> DeliveryDocument | None:
        await asyncio.sleep(0)  # as whoever asks a server, it gives others their turn
        if self.claim_error is not None:
            raise self.claim_error
        return self.waiting.pop(wanted_id, None)

    async def delivered(self, delivery: DeliveryDocument) -> bool:
        self._be_in_trouble()
        self.done.append(delivery["_id"])
        return True

    async def not_delivered(self, delivery: DeliveryDocument, reason: str) -> bool:
        self._be_in_trouble()
        self.failed.append((delivery["_id"], reason))
        return self.gives_up

    def _be_in_trouble(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
