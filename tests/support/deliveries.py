"""Deliveries of a sample alert, and their store in memory."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any, cast

from projection_worker.notifications.delivery_store import (
    CLAIM_SECONDS,
    GIVEN_UP_AFTER,
    NOT_CONFIGURED,
    pause_after,
)
from shared.clock import Clock, new_id, utc_now
from shared.read_models.deliveries import AT_ONCE, DeliveryDocument, DeliveryState, delivery_of
from tests.support.read_model_builders import NOON, alert_document

ALERT = alert_document("mia@2:threshold", child_id="mia", channels=["in_app", "webhook", "email"])
DELIVERED, PENDING, FAILED = DeliveryState.DELIVERED, DeliveryState.PENDING, DeliveryState.FAILED


def delivery(channel: str = "webhook", **fields: Any) -> DeliveryDocument:
    """As whoever claimed it for the first time has it."""
    claimed = {"attempts": 1, "claim": "claim-1"}
    return cast(DeliveryDocument, {**delivery_of(ALERT, channel, NOON), **claimed, **fields})


class MemoryDeliveries:
    """In-memory fake of DeliveryStore, without the alerts in which that one records deliveries."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self.documents: dict[str, DeliveryDocument] = {}
        self._clock = clock

    async def insert(self, fresh: Sequence[DeliveryDocument]) -> None:
        for one in fresh:
            self.documents.setdefault(one["_id"], one)

    async def of_alert(self, alert_id: str) -> list[DeliveryDocument]:
        return [one for one in self.documents.values() if one["alert_id"] == alert_id]

    async def due(self, channel: str, most: int) -> list[str]:
        due = [one for one in self._due() if one["channel"] == channel]
        return [one["_id"] for one in sorted(due, key=lambda d: d["next_attempt_at"])][:most]

    async def claim(self, wanted_id: str) -> DeliveryDocument | None:
        for one in self._due():
            if one["_id"] == wanted_id:
                one["attempts"] += 1
                one["next_attempt_at"] = utc_now() + timedelta(seconds=CLAIM_SECONDS)
                one["claim"] = new_id()
                return cast(DeliveryDocument, {**one})
        return None

    async def delivered(self, delivery: DeliveryDocument) -> bool:
        stored = self.documents[delivery["_id"]]
        if stored["state"] == DELIVERED:
            return False
        stored.update({"state": DELIVERED, "delivered_at": self._clock(), "last_error": None})
        return True

    async def not_delivered(self, delivery: DeliveryDocument, reason: str) -> bool:
        pause = pause_after(delivery["attempts"])
        too_old = self._clock() - delivery["created_at"] > GIVEN_UP_AFTER
        last = pause is None or too_old
        stored = self.documents[delivery["_id"]]
        if (stored["claim"], stored["state"]) == (delivery["claim"], PENDING):
            stored["last_error"] = reason
            if pause is None or too_old:
                stored["state"] = FAILED
            else:
                stored["next_attempt_at"] = utc_now() + timedelta(seconds=pause)
        return last

    async def give_up(self, channels: Collection[str]) -> int:
        given_up = 0
        for one in self.documents.values():
            long_ago = self._clock() - one["created_at"] > GIVEN_UP_AFTER
            if one["state"] != PENDING or not long_ago:
                continue
            if one["channel"] not in channels:
                one.update({"state": FAILED, "last_error": NOT_CONFIGURED})
                given_up += 1
            elif one["attempts"] > 0 and one["next_attempt_at"] <= utc_now():
                one["state"] = FAILED
                given_up += 1
        return given_up

    async def redrive(self, wanted_ids: Sequence[str]) -> int:
        failed = [self.documents[one] for one in wanted_ids if one in self.documents]
        failed = [one for one in failed if one["state"] == FAILED]
        for one in failed:
            one.update({"state": PENDING, "attempts": 0, "next_attempt_at": AT_ONCE})
            one["created_at"] = self._clock()
        return len(failed)

    def _due(self) -> Iterable[DeliveryDocument]:
        now = utc_now()
        pending = (one for one in self.documents.values() if one["state"] == PENDING)
        return (one for one in pending if one["next_attempt_at"] <= now)


class DeliveryLog(MemoryDeliveries):
    """Remembers in which order what was noted. Raises what `troubles` hold, one a note, and
    `claim_error` at each claim."""

    def __init__(self, *due: DeliveryDocument) -> None:
        super().__init__(lambda: NOON)
        self.put(*due)
        self.done: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.troubles: list[Exception] = []
        self.claim_error: Exception | None = None

    def put(self, *due: DeliveryDocument) -> None:
        self.documents.update({one["_id"]: one for one in due})

    @property
    def waiting(self) -> list[str]:
        """What may be claimed."""
        return [one["_id"] for one in self._due()]

    async def claim(self, wanted_id: str) -> DeliveryDocument | None:
        await asyncio.sleep(0)  # as whoever asks a server, it gives others their turn
        if self.claim_error is not None:
            raise self.claim_error
        return await super().claim(wanted_id)

    async def delivered(self, delivery: DeliveryDocument) -> bool:
        self._be_in_trouble()
        self.done.append(delivery["_id"])
        return await super().delivered(delivery)

    async def not_delivered(self, delivery: DeliveryDocument, reason: str) -> bool:
        self._be_in_trouble()
        self.failed.append((delivery["_id"], reason))
        return await super().not_delivered(delivery, reason)

    def _be_in_trouble(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)


class Settled:
    """What is told of deliveries that were settled."""

    def __init__(self) -> None:
        self.notified: list[str] = []

    async def __call__(self, delivery: DeliveryDocument) -> None:
        self.notified.append(delivery["_id"])
