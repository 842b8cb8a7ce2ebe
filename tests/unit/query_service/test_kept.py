"""What is read once for many, and kept for a while."""

import asyncio

from structlog.testing import capture_logs

from query_service.kept import Kept


class Source:
    def __init__(self) -> None:
        self.now = 0.0
        self.reads = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def read(self) -> int:
        self.reads += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.reads

    def kept(self, most_seconds: float = 30.0) -> Kept[int]:
        return Kept("source", self.read, 10.0, most_seconds, lambda: self.now)


async def test_it_is_read_again_once_its_time_is_over():
    # given
    source = Source()
    kept = source.kept()
    # when / then
    assert await kept.known() == 1
    source.now = 9.9
    assert await kept.known() == 1
    source.now = 10.0
    assert await kept.known() == 2


async def test_all_who_ask_at_once_get_what_is_read_once():
    source = Source()
    kept = source.kept()
    assert await asyncio.gather(*(kept.known() for _ in range(5))) == [1] * 5
    assert source.reads == 1


async def test_what_cannot_be_read_is_unknown_and_not_tried_again_at_once():
    # given
    source = Source()
    kept = source.kept()
    source.error = OSError("no such file")
    # when / then
    assert await kept.known() is None
    source.error = None
    assert await kept.known() is None
    source.now = 10.0
    assert await kept.known() == 2


async def test_that_it_cannot_be_read_is_logged_once_until_it_can():
    # given
    source = Source()
    kept = source.kept()
    away = OSError("no such file")
    # when
    with capture_logs() as logs:
        for source.error in (away, away, None, away):
            source.now += 10
            await kept.known()
    # then
    assert [(log["event"], log["part"]) for log in logs] == [("part_unknown", "source")] * 2


async def test_what_takes_too_long_is_unknown():
    source = Source()
    source.gate = asyncio.Event()
    assert await source.kept(most_seconds=0.01).known() is None


async def test_who_leaves_takes_it_from_nobody():
    # given
    source = Source()
    source.gate = asyncio.Event()
    kept = source.kept()
    first, second = (asyncio.create_task(kept.known()) for _ in range(2))
    await asyncio.sleep(0)
    # when
    first.cancel()
    source.gate.set()
    # then
    assert await second in (1, 2)
