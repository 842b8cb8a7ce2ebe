import asyncio
from collections.abc import AsyncIterator

import pytest

from query_service.api.recent_changes import RECENT_SECONDS, RecentChanges
from query_service.api.streams import HEARTBEAT, MOST_WAITING, OPENING, Streams, TooManyStreams
from shared.auth.access import Principal, Role
from shared.read_models.notices import AlertNotice, ChangeNotice
from tests.support.query_side import followed
from tests.support.read_model_builders import alert_document

CHANGE = ChangeNotice("lena", "weiss", 3)
ALERT = AlertNotice.of(alert_document("lena@3:threshold", child_id="lena", parent_id="weiss"))

READER = Principal("weiss", Role.PARENT)


class Token:
    """Holds as long as the test says so."""

    def __init__(self, seconds_left: float = 3_600.0) -> None:
        self.seconds_left = seconds_left
        self.good = True

    async def holds(self) -> bool:
        return self.good


@pytest.fixture
def streams() -> Streams:
    return Streams()


async def opened(streams: Streams, parent_id: str) -> AsyncIterator[bytes]:
    events = streams.follow(parent_id, Token())
    assert await anext(events) == OPENING
    return events


async def test_a_reader_gets_the_changes_and_alerts_of_its_family(streams: Streams):
    # given
    events = await opened(streams, "weiss")
    # when
    streams.received(CHANGE)
    streams.received(ALERT)
    # then
    assert await anext(events) == b'event: change\ndata: {"child_id":"lena","version":3}\n\n'
    alert = await anext(events)
    assert alert.startswith(b"event: alert\nid: lena@3:threshold\ndata: {")
    assert b'"raised_at":"2026-11-23T12:00:00.000Z"' in alert


async def test_a_reader_gets_nothing_of_another_family(streams: Streams):
    events = await opened(streams, "braun")
    streams.received(CHANGE)
    streams.received(ALERT)
    streams.received(ChangeNotice("leo", "braun", 1))
    assert await anext(events) == b'event: change\ndata: {"child_id":"leo","version":1}\n\n'


async def test_every_reader_of_a_family_gets_everything(streams: Streams):
    readers = [await opened(streams, "weiss") for _ in range(3)]
    streams.received(CHANGE)
    assert {await anext(reader) for reader in readers} == {
        b'event: change\ndata: {"child_id":"lena","version":3}\n\n'
    }


async def test_a_quiet_stream_has_a_heartbeat_and_ends_after_its_life_or_with_its_token():
    streams = Streams(heartbeat_seconds=0.01)
    events = await opened(streams, "weiss")
    assert await anext(events) == HEARTBEAT
    streams = Streams(heartbeat_seconds=10, life_seconds=0.01)
    events = await opened(streams, "weiss")
    rest = [event async for event in events]
    assert rest == [HEARTBEAT]
    streams = Streams(heartbeat_seconds=10)
    events = streams.follow("weiss", Token(seconds_left=0.01))
    sent = [event async for event in events]
    assert sent == [OPENING, HEARTBEAT]


async def test_a_reader_that_is_too_slow_is_disconnected(streams: Streams):
    # given a reader that does not read
    events = await opened(streams, "weiss")
    # when more happens than may wait
    for version in range(MOST_WAITING + 1):
        streams.received(ChangeNotice("lena", "weiss", version))
    assert [event async for event in events] == []
    assert followed(streams) == 0


async def test_streams_end_when_notices_may_have_been_missed(streams: Streams):
    events = await opened(streams, "weiss")
    # when the feed breaks and comes back
    streams.connection_changed(False)
    streams.connection_changed(True)
    assert [event async for event in events] == []


async def test_streams_end_when_the_process_stops(streams: Streams):
    # given
    events = await opened(streams, "weiss")
    reading = asyncio.create_task(anext(events, None))
    await asyncio.sleep(0)
    # when
    streams.close()
    # then
    assert await reading is None
    late = await opened(streams, "weiss")
    assert await anext(late, None) is None


async def test_a_reader_that_goes_away_is_forgotten(streams: Streams):
    # given
    staying = await opened(streams, "weiss")
    leaving = streams.follow("weiss", Token())
    await anext(leaving)
    assert followed(streams) == 2
    # when
    await leaving.aclose()  # type: ignore[attr-defined]
    # then
    assert followed(streams) == 1
    streams.received(CHANGE)
    assert await anext(staying)


async def test_one_reader_has_only_so_many_streams_open():
    # given
    streams = Streams(max_per_reader=2)
    slots = [streams.slot_for(READER) for _ in range(2)]
    # when / then
    with pytest.raises(TooManyStreams):
        streams.slot_for(READER)
    assert streams.slot_for(Principal("officer-1", Role.SAFETY_OFFICER))
    # when one ends
    slots.pop().close()
    # then there is room again
    assert streams.slot_for(READER)


@pytest.mark.parametrize("heartbeat_seconds", [0.01, 10])
async def test_nothing_is_sent_to_whom_a_token_no_longer_lets_in(heartbeat_seconds: float):
    # given
    streams, token = Streams(heartbeat_seconds=heartbeat_seconds), Token()
    events = streams.follow("weiss", token)
    assert await anext(events) == OPENING
    # when the key that signed it leaves the set
    token.good = False
    if heartbeat_seconds > 1:
        streams.received(CHANGE)
    # then
    assert [event async for event in events] == []


async def test_who_opens_a_stream_is_told_of_the_last_changes_which_it_may_not_have_read():
    # given
    now = 100.0
    streams = Streams(recent=RecentChanges(clock=lambda: now))
    for child, version in (("lena", 2), ("leo", 1), ("lena", 3)):
        streams.received(ChangeNotice(child, "weiss", version))
    streams.received(ChangeNotice("kim", "braun", 1))
    streams.received(ALERT)
    # when
    now += RECENT_SECONDS
    events = await opened(streams, "weiss")
    # then
    assert await anext(events) == b'event: change\ndata: {"child_id":"lena","version":3}\n\n'
    assert await anext(events) == b'event: change\ndata: {"child_id":"leo","version":1}\n\n'
    # when
    now += 1
    # then
    assert streams.recent.of_family("weiss") == []
    assert streams.recent.of_family("braun") == []


def test_of_the_last_changes_only_so_many_are_kept():
    recent = RecentChanges(most=2)
    for child in ("lena", "leo", "kim"):
        recent.received(ChangeNotice(child, "weiss", 1))
    assert [notice.child_id for notice in recent.of_family("weiss")] == ["leo", "kim"]
