"""An event store that hangs or is away is asked for consents by few, and not again and again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from query_service.queries.consent_reads import MOST_READS, PAUSE
from query_service.queries.get_child_consents import GetChildConsents
from query_service.queries.get_child_profile import GetChildProfile
from shared.event_store.envelope import Commit
from shared.event_store.port import StoreUnavailable
from tests.support.problem_documents import assert_problem
from tests.support.query_side import QuerySide, parent
from tests.support.waiting import until

WEISS = parent("weiss")
PATH = "/v1/children/lena/consents"
A_MOMENT = timedelta(milliseconds=1)


class HeldConsents:
    """Each read hangs until it is let go, and fails while the store is `away`; `asked`: how many
    came."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.free = asyncio.Event()

    async def consents(self, *_: object) -> list[Commit]:
        self.asked += 1
        await self.free.wait()
        if self.away:
            raise StoreUnavailable("away")
        return []


@pytest.fixture
async def held(side: QuerySide, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HeldConsents]:
    await side.child("lena", parent_id="weiss")
    held = HeldConsents()
    monkeypatch.setattr(side.events, "consents", held.consents)
    yield held
    held.free.set()


async def test_beyond_a_few_that_wait_for_a_hanging_store_one_is_refused_at_once(
    side: QuerySide, held: HeldConsents
):
    # given
    waiting = [asyncio.create_task(side.get(PATH, WEISS)) for _ in range(MOST_READS)]
    await until(lambda: held.asked == MOST_READS)
    # when
    another = asyncio.create_task(side.get(PATH, WEISS))
    await until(another.done)
    # then
    refused = await another
    assert_problem(refused, 503, "event-store-unavailable")
    assert refused.headers["Retry-After"]
    assert (held.asked, [one.done() for one in waiting]) == (MOST_READS, [False] * MOST_READS)
    assert (await side.ask(GetChildProfile("lena"), WEISS))["child_id"] == "lena"
    # when the store answers again
    held.free.set()
    # then those that waited are answered, and others, too
    assert [one.status_code for one in await asyncio.gather(*waiting)] == [200] * MOST_READS
    assert (await side.get(PATH, WEISS)).status_code == 200


async def test_after_a_failure_the_store_is_not_asked_for_a_while_and_then_again(
    side: QuerySide, held: HeldConsents
):
    # given
    held.away = True
    held.free.set()
    assert_problem(await side.get(PATH, WEISS), 503, "event-store-unavailable")
    held.away = False
    # when
    side.now += PAUSE - A_MOMENT
    refused = await side.get(PATH, WEISS)
    # then
    assert_problem(refused, 503, "event-store-unavailable")
    assert held.asked == 1
    # when
    side.now += A_MOMENT
    # then
    assert (await side.get(PATH, WEISS)).status_code == 200
    assert held.asked == 2


async def test_a_clock_that_is_set_back_does_not_prolong_the_pause(
    side: QuerySide, held: HeldConsents
):
    held.away = True
    held.free.set()
    assert (await side.get(PATH, WEISS)).status_code == 503
    held.away = False
    side.now -= timedelta(hours=1)
    assert (await side.get(PATH, WEISS)).status_code == 200


async def test_a_read_that_is_given_up_makes_room_for_another(side: QuerySide, held: HeldConsents):
    # given
    query = GetChildConsents("lena")
    waiting = [asyncio.create_task(side.ask(query, WEISS)) for _ in range(MOST_READS)]
    await until(lambda: held.asked == MOST_READS)
    # when
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    another = asyncio.create_task(side.ask(query, WEISS))
    # then
    await until(lambda: held.asked == MOST_READS + 1)
    held.free.set()
    assert (await another)["items"] == []
    await asyncio.gather(*waiting[1:])
