"""At most so many commands a second from one subject."""

import pytest

from command_service.command_bus import Command, CommandContext, CommandResult
from command_service.middleware.rate_limit import RateLimit, TooManyCommands
from shared.auth.principal import Principal, Role
from tests.support.child_facts import ADA, ERASE


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def done(command: Command, context: CommandContext) -> CommandResult:
    return CommandResult(ADA, 1, ())


async def send(limit: RateLimit, subject: str = "parent-ada") -> CommandResult:
    context = CommandContext(Principal(subject, Role.PARENT), "correlation-1", "command-1")
    return await limit(ERASE, context, done)


async def test_a_burst_passes_and_what_follows_waits():
    # given
    limit = RateLimit(per_second=0.5, burst=3, monotonic=Seconds())
    for _ in range(3):
        await send(limit)
    # when
    with pytest.raises(TooManyCommands) as refused:
        await send(limit)
    # then
    assert refused.value.retry_after_seconds == 2


async def test_the_bucket_fills_with_time():
    # given
    seconds = Seconds()
    limit = RateLimit(per_second=2, burst=1, monotonic=seconds)
    await send(limit)
    # when
    seconds.now += 0.5
    await send(limit)
    # then
    with pytest.raises(TooManyCommands):
        await send(limit)


async def test_a_full_bucket_holds_no_more_than_the_burst():
    # given
    seconds = Seconds()
    limit = RateLimit(per_second=100, burst=2, monotonic=seconds)
    seconds.now += 3_600
    # when
    await send(limit)
    await send(limit)
    # then
    with pytest.raises(TooManyCommands):
        await send(limit)


async def test_one_subject_does_not_slow_another():
    # given
    limit = RateLimit(per_second=1, burst=1, monotonic=Seconds())
    await send(limit, "parent-ada")
    # when, then
    await send(limit, "parent-bob")
    with pytest.raises(TooManyCommands):
        await send(limit, "parent-ada")


async def test_only_so_many_subjects_are_remembered(monkeypatch: pytest.MonkeyPatch):
    # given
    monkeypatch.setattr("command_service.middleware.rate_limit.REMEMBERED_SUBJECTS", 2)
    limit = RateLimit(per_second=0.001, burst=1, monotonic=Seconds())
    # when
    for subject in ("parent-1", "parent-2", "parent-3"):
        await send(limit, subject)
    # then
    await send(limit, "parent-1")
    with pytest.raises(TooManyCommands):
        await send(limit, "parent-3")
