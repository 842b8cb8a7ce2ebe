"""What became of alerts: in memory, on MongoDB through Motor, on MongoDB through PyMongo Async."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from collections.abc import Collection as AnyCollection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, cast

import pytest

from projection_worker.notifications.delivery_store import NOT_CONFIGURED, PAUSES, DeliveryStore
from projection_worker.notifications.lane import Deliveries
from shared.clock import utc_now
from shared.mongo import Mongo
from shared.read_models.deliveries import (
    AT_ONCE,
    DeliveryDocument,
    deliveries,
    deliveries_of,
    ensure_delivery_indexes,
)
from shared.read_models.generations import begin_catalog
from tests.contract.conftest import Place
from tests.support.deliveries import MemoryDeliveries
from tests.support.read_model_builders import alert_document

ID = "mia@2:threshold:webhook"


class KeptDeliveries(Deliveries, Protocol):
    """With what operators and the sweep do, too."""

    async def insert(self, fresh: Sequence[DeliveryDocument]) -> None: ...

    async def give_up(self, channels: AnyCollection[str]) -> int: ...

    async def redrive(self, wanted_ids: Sequence[str]) -> int: ...


@dataclass(frozen=True)
class Kept:
    """A store, and how to make a delivery something that only time makes it."""

    store: KeptDeliveries
    change: Callable[[str, dict[str, Any]], Awaitable[object]]

    async def raised(self, alert_id: str = "mia@2:threshold") -> None:
        now = utc_now()
        channels = ["in_app", "webhook"]
        alert = alert_document(alert_id, child_id="mia", channels=channels, raised_at=now)
        await self.store.insert(deliveries_of(alert, now))

    async def claimed(self) -> DeliveryDocument:
        mine = await self.store.claim(ID)
        assert mine is not None
        return mine

    async def time_passes(self) -> None:
        """Its claim or its pause ends."""
        await self.change(ID, {"next_attempt_at": AT_ONCE})

    async def now(self) -> DeliveryDocument:
        """The delivery by webhook, as it is stored."""
        found = await self.store.of_alert("mia@2:threshold")
        return next(one for one in found if one["_id"] == ID)


@pytest.fixture
async def kept(place: Place | None) -> AsyncIterator[Kept]:
    if place is None:
        memory = MemoryDeliveries()

        async def change(delivery_id: str, fields: dict[str, Any]) -> None:
            cast(dict[str, Any], memory.documents[delivery_id]).update(fields)

        yield Kept(memory, change)
        return
    mongo = Mongo(place.url, place.driver)
    database = mongo.database(place.database)
    await begin_catalog(database, 1)
    await ensure_delivery_indexes(database)

    async def set_fields(delivery_id: str, fields: dict[str, Any]) -> None:
        await deliveries(database).update_one({"_id": delivery_id}, {"$set": fields})

    yield Kept(DeliveryStore(mongo, database, utc_now), set_fields)
    await mongo.close()


async def test_an_alert_is_due_at_once_but_not_yet_in_the_app(kept: Kept) -> None:
    await kept.raised()

    assert await kept.store.due("webhook", 10) == [ID]
    # its notice is under way
    assert await kept.store.due("in_app", 10) == []
    found = await kept.store.of_alert("mia@2:threshold")
    assert sorted(one["channel"] for one in found) == ["in_app", "webhook"]
    assert await kept.store.of_alert("nobody@1:threshold") == []


async def test_what_is_there_stays_as_it_is_when_it_is_raised_again(kept: Kept) -> None:
    await kept.raised()
    await kept.store.delivered(await kept.claimed())
    before = await kept.now()

    await kept.raised()

    assert await kept.now() == before


async def test_those_that_wait_longest_are_due_first(kept: Kept) -> None:
    for number in range(4):
        await kept.raised(f"a{number}")
        at = utc_now() - timedelta(minutes=number)
        await kept.change(f"a{number}:webhook", {"next_attempt_at": at})

    assert await kept.store.due("webhook", 3) == ["a3:webhook", "a2:webhook", "a1:webhook"]


async def test_one_of_many_claims_a_delivery(kept: Kept) -> None:
    await kept.raised()

    claimed = await asyncio.gather(*(kept.store.claim(ID) for _ in range(10)))

    (mine,) = [one for one in claimed if one is not None]
    assert mine["attempts"] == 1
    assert await kept.store.due("webhook", 10) == []


async def test_what_does_not_exist_is_claimed_by_nobody(kept: Kept) -> None:
    assert await kept.store.claim("nobody@1:threshold:webhook") is None


async def test_what_was_claimed_by_one_that_died_is_due_again(kept: Kept) -> None:
    await kept.raised()
    await kept.claimed()

    await kept.time_passes()

    assert await kept.store.due("webhook", 10) == [ID]
    assert (await kept.claimed())["attempts"] == 2


async def test_what_failed_waits_and_is_tried_again(kept: Kept) -> None:
    await kept.raised()

    assert not await kept.store.not_delivered(await kept.claimed(), "Status 500")

    assert (await kept.now())["last_error"] == "Status 500"
    assert await kept.store.due("webhook", 10) == []
    await kept.time_passes()
    assert await kept.store.due("webhook", 10) == [ID]


async def test_after_the_last_attempt_it_is_given_up(kept: Kept) -> None:
    await kept.raised()
    for _ in PAUSES:
        assert not await kept.store.not_delivered(await kept.claimed(), "Status 500")
        await kept.time_passes()

    assert await kept.store.not_delivered(await kept.claimed(), "Status 500")

    await kept.time_passes()
    assert (await kept.now())["state"] == "failed"
    assert await kept.store.due("webhook", 10) == []
    assert await kept.store.claim(ID) is None


async def test_what_fails_after_three_days_is_given_up_whatever_it_was_tried(kept: Kept) -> None:
    await kept.raised()
    await kept.change(ID, {"created_at": utc_now() - timedelta(days=3, minutes=1)})

    assert await kept.store.not_delivered(await kept.claimed(), "Status 500")

    assert (await kept.now())["state"] == "failed"


async def test_who_lost_the_claim_changes_nothing_by_failing(kept: Kept) -> None:
    await kept.raised()
    slow = await kept.claimed()
    await kept.time_passes()
    quick = await kept.claimed()

    await kept.store.not_delivered(slow, "TimeoutError")

    now = await kept.now()
    assert (now["claim"], now["last_error"]) == (quick["claim"], None)


async def test_what_was_delivered_is_so_whoever_claimed_it_last(kept: Kept) -> None:
    await kept.raised()
    slow = await kept.claimed()
    await kept.time_passes()
    quick = await kept.claimed()

    assert await kept.store.delivered(slow)

    assert not await kept.store.delivered(quick)
    await kept.store.not_delivered(quick, "Status 500")
    assert ((await kept.now())["state"], (await kept.now())["last_error"]) == ("delivered", None)


async def test_what_is_redriven_has_all_its_attempts_again(kept: Kept) -> None:
    await kept.raised()
    await kept.change(ID, {"state": "failed", "attempts": 17})

    assert await kept.store.redrive([ID, "nothing"]) == 1

    now = await kept.now()
    assert (now["state"], now["attempts"]) == ("pending", 0)
    assert await kept.store.due("webhook", 10) == [ID]
    assert await kept.store.redrive([ID]) == 0


async def test_a_channel_that_nobody_configured_is_given_up_after_three_days(kept: Kept) -> None:
    await kept.raised()
    assert await kept.store.give_up({"in_app"}) == 0
    await kept.change(ID, {"created_at": utc_now() - timedelta(days=3, minutes=1)})

    assert await kept.store.give_up({"in_app", "webhook"}) == 0  # nobody has tried it yet
    assert await kept.store.give_up({"in_app"}) == 1

    now = await kept.now()
    assert (now["state"], now["last_error"]) == ("failed", NOT_CONFIGURED)


async def test_what_was_tried_in_vain_for_three_days_is_given_up(kept: Kept) -> None:
    """For a receiver that is known to be away nothing is claimed any more."""
    await kept.raised()
    await kept.store.not_delivered(await kept.claimed(), "ConnectError")
    await kept.change(ID, {"created_at": utc_now() - timedelta(days=3, minutes=1)})
    await kept.time_passes()

    assert await kept.store.give_up({"in_app", "webhook"}) == 1

    now = await kept.now()
    assert (now["state"], now["last_error"]) == ("failed", "ConnectError")
