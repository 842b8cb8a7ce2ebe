import asyncio
from collections.abc import Sequence

import pytest

from shared.event_store.group_commit import GroupCommit, GroupCommitClosed


class RecordingWrite:
    """Writes groups of numbers when told to; an odd number is refused, 13 breaks its group."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.may_finish = asyncio.Event()
        self.may_finish.set()

    async def __call__(self, items: Sequence[int]) -> list[str | Exception]:
        self.groups.append(list(items))
        await self.may_finish.wait()
        if 13 in items:
            raise ConnectionError("the server went away")
        return [ValueError(item) if item % 2 else f"wrote {item}" for item in items]


async def _a_step() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_items_that_arrive_while_a_group_is_written_share_the_next():
    # given a write under way
    write = RecordingWrite()
    write.may_finish.clear()
    group_commit = GroupCommit(write, batchers=1)
    first = asyncio.create_task(group_commit.submit(2))
    await _a_step()
    # when
    others = [asyncio.create_task(group_commit.submit(item)) for item in (4, 6, 8)]
    await _a_step()
    write.may_finish.set()
    outcomes = await asyncio.gather(first, *others)
    # then
    assert write.groups == [[2], [4, 6, 8]]
    assert outcomes == ["wrote 2", "wrote 4", "wrote 6", "wrote 8"]


async def test_each_caller_gets_the_outcome_of_its_own_item():
    # given
    group_commit = GroupCommit(RecordingWrite())
    # when
    outcomes = await asyncio.gather(
        *(group_commit.submit(item) for item in (2, 3, 4)), return_exceptions=True
    )
    # then
    assert outcomes[0] == "wrote 2"
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2] == "wrote 4"


async def test_a_group_is_never_larger_than_allowed():
    write = RecordingWrite()
    group_commit = GroupCommit(write, batchers=1, max_group=3)
    await asyncio.gather(*(group_commit.submit(item) for item in range(0, 20, 2)))
    assert [len(group) for group in write.groups] == [3, 3, 3, 1]


async def test_no_more_groups_are_written_at_once_than_there_are_batchers():
    # given
    write = RecordingWrite()
    write.may_finish.clear()
    group_commit = GroupCommit(write, batchers=2, max_group=1)
    # when
    callers = [asyncio.create_task(group_commit.submit(item)) for item in (2, 4, 6)]
    await _a_step()
    # then
    assert write.groups == [[2], [4]]
    write.may_finish.set()
    assert await asyncio.gather(*callers) == ["wrote 2", "wrote 4", "wrote 6"]


async def test_a_caller_that_gave_up_takes_its_item_back_and_harms_no_other():
    # given one group under way, two items waiting
    write = RecordingWrite()
    write.may_finish.clear()
    group_commit = GroupCommit(write, batchers=1)
    writing, leaving, staying = (
        asyncio.create_task(group_commit.submit(item)) for item in (2, 4, 6)
    )
    writing_too = asyncio.create_task(group_commit.submit(8))
    await _a_step()
    # when both a written and a waiting caller leave
    waiting = [asyncio.create_task(group_commit.submit(item)) for item in (10, 12)]
    await _a_step()
    leaving.cancel()
    waiting[0].cancel()
    await _a_step()
    write.may_finish.set()
    # then
    outcomes = await asyncio.gather(*[writing, staying, writing_too, waiting[1]])
    assert outcomes == ["wrote 2", "wrote 6", "wrote 8", "wrote 12"]
    assert write.groups == [[2, 4, 6, 8], [12]]


async def test_a_write_that_fails_fails_its_own_callers_and_the_next_group_is_written():
    group_commit = GroupCommit(RecordingWrite(), batchers=1, max_group=2)
    outcomes = await asyncio.gather(
        *(group_commit.submit(item) for item in (12, 13, 14, 16)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes[:2]] == [ConnectionError, ConnectionError]
    assert outcomes[2:] == ["wrote 14", "wrote 16"]


async def test_a_write_that_forgets_an_item_fails_its_callers():
    async def forgetful(items: Sequence[int]) -> list[str | Exception]:
        return ["wrote"] * (len(items) - 1)

    group_commit = GroupCommit(forgetful)
    with pytest.raises(ValueError, match="shorter"):
        await group_commit.submit(2)


async def test_a_full_queue_makes_callers_wait_and_loses_nothing():
    # given room for two
    write = RecordingWrite()
    group_commit = GroupCommit(write, batchers=1, max_group=2, max_waiting=2)
    outcomes = await asyncio.gather(*(group_commit.submit(item) for item in range(0, 100, 2)))
    assert outcomes == [f"wrote {item}" for item in range(0, 100, 2)]


async def test_an_item_offered_in_the_moment_a_batcher_ends_is_written():
    # given callers that come back at once, so that some find every batcher about to end
    group_commit = GroupCommit(RecordingWrite(), batchers=2, max_group=3)

    async def caller(first: int) -> None:
        for item in range(first, first + 200, 2):
            assert await group_commit.submit(item) == f"wrote {item}"

    async with asyncio.timeout(10):
        await asyncio.gather(*(caller(first) for first in range(0, 10, 2)))


async def test_close_finishes_what_was_accepted_and_refuses_the_rest():
    # given
    write = RecordingWrite()
    write.may_finish.clear()
    group_commit = GroupCommit(write, batchers=1, max_group=1)
    callers = [asyncio.create_task(group_commit.submit(item)) for item in (2, 4)]
    await _a_step()
    # when
    closing = asyncio.create_task(group_commit.close())
    await _a_step()
    assert not closing.done()
    write.may_finish.set()
    await closing
    # then
    assert [caller.result() for caller in callers] == ["wrote 2", "wrote 4"]
    with pytest.raises(GroupCommitClosed):
        await group_commit.submit(6)
