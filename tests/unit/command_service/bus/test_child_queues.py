"""Commands of one child wait for one another in a process; those of other children do not."""

import asyncio
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from command_service.bus.child_queues import ChildQueues, QueueLimits
from command_service.bus.command_bus import Command, CommandContext, CommandResult
from command_service.bus.errors import ChildBusy
from command_service.child.errors import ChildNotFound
from shared.auth.access import Principal
from shared.event_store.port import StoreUnavailable
from tests.support.child_facts import ADA, ERASE, VIOLATION
from tests.support.command_side import BEAR, MOTHER, OFFICER
from tests.support.waiting import until

PATIENT = QueueLimits(seconds=60.0)

Outcome = CommandResult | Exception
DONE = CommandResult(ADA, 1, ())


@dataclass
class Commands:
    """Commands that are under way until they are told how to end. `begun` and `ended` by name."""

    limits: QueueLimits = PATIENT
    begun: list[str] = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.registry = CollectorRegistry()
        self.queues = ChildQueues(self.limits, self.registry)
        self._ends: dict[str, asyncio.Future[Outcome]] = {}
        self._under_way: dict[str, int] = {}

    def send(
        self, name: str, caller: Principal = MOTHER, child_id: str = ADA
    ) -> "asyncio.Task[CommandResult]":
        command = ERASE if child_id == ADA else _about(child_id)
        context = CommandContext(caller, "correlation-1", name)
        return asyncio.create_task(self._send(command, context))

    def end(self, name: str, outcome: Outcome = DONE) -> None:
        self._ends[name].set_result(outcome)

    async def has_begun(self, name: str) -> None:
        await until(lambda: name in self.begun)

    async def run_all(self) -> None:
        """End whatever is under way or begins, until nothing is left."""
        while self.queues.lines:
            for end in self._ends.values():
                if not end.done():
                    end.set_result(DONE)
            await asyncio.sleep(0)

    @property
    def waiting(self) -> float | None:
        return self.registry.get_sample_value("teddy_commands_waiting")

    async def _send(self, command: Command, context: CommandContext) -> CommandResult:
        async with self.queues.turn(command.child_id, context.principal):
            return await self._run(command, context)

    async def _run(self, command: Command, context: CommandContext) -> CommandResult:
        name, child_id = context.causation_id, command.child_id
        self.begun.append(name)
        self._ends[name] = asyncio.get_running_loop().create_future()
        self._under_way[child_id] = self._under_way.get(child_id, 0) + 1
        self.most_at_once = max(self.most_at_once, self._under_way[child_id])
        try:
            outcome = await self._ends[name]
        finally:
            self._under_way[child_id] -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def _about(child_id: str) -> Command:
    return type(ERASE)(child_id=child_id, at=ERASE.at)


async def _turns(count: int = 5) -> None:
    """Give the tasks that were just made their turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_commands_of_one_child_are_done_one_after_the_other_in_their_order():
    # given
    commands = Commands()
    names = [f"command-{number}" for number in range(100)]
    # when
    sent = [commands.send(name) for name in names]
    await _turns()
    assert (commands.begun, commands.waiting) == (["command-0"], 99)
    await commands.run_all()
    # then
    assert await asyncio.gather(*sent) == [DONE] * 100
    assert (commands.begun, commands.most_at_once) == (names, 1)


async def test_commands_of_another_child_pass_by():
    # given
    commands = Commands()
    waiting = [commands.send(f"ada-{number}") for number in range(5)]
    await commands.has_begun("ada-0")
    # when
    other = commands.send("other", child_id=VIOLATION)
    await commands.has_begun("other")
    commands.end("other")
    # then
    assert await other == DONE
    assert commands.begun == ["ada-0", "other"]
    await commands.run_all()
    await asyncio.gather(*waiting)


async def test_callers_take_turns():
    # given: the bear sends much, and then somebody else has something to say
    commands = Commands()
    sent = [commands.send(f"bear-{number}", BEAR) for number in range(5)]
    sent += [commands.send(f"mother-{number}", MOTHER) for number in range(2)]
    sent += [commands.send("officer", OFFICER)]
    # when
    await _turns()
    await commands.run_all()
    await asyncio.gather(*sent)
    # then
    assert commands.begun == [
        "bear-0", "bear-1", "mother-0", "officer", "bear-2", "mother-1", "bear-3", "bear-4",
    ]  # fmt: skip


@pytest.mark.parametrize("error", [ChildNotFound(), RuntimeError("a bug")])
async def test_whatever_becomes_of_one_the_next_has_its_turn(error: Exception):
    # given
    commands = Commands()
    first, second = commands.send("first"), commands.send("second")
    await commands.has_begun("first")
    # when
    commands.end("first", error)
    # then
    await commands.has_begun("second")
    commands.end("second")
    assert await second == DONE
    with pytest.raises(type(error)):
        await first


async def test_nothing_is_kept_of_children_without_commands():
    # given
    commands = Commands()
    sent = [
        commands.send(f"{child}-{number}", child_id=f"child-{child}")
        for child in range(50)
        for number in range(3)
    ]
    # when
    await _turns()
    assert commands.queues.lines == 50
    await commands.run_all()
    await asyncio.gather(*sent)
    # then
    assert (commands.queues.lines, commands.waiting) == (0, 0)


async def test_one_that_finds_no_place_is_refused_and_disturbs_nobody():
    # given
    commands = Commands(QueueLimits(per_child=4, in_all=8, seconds=60))
    callers = [MOTHER, OFFICER, BEAR, MOTHER, OFFICER]
    sent = [commands.send(f"command-{n}", caller) for n, caller in enumerate(callers)]
    await _turns()
    # when
    with pytest.raises(ChildBusy):
        await commands.send("one-too-many", BEAR)
    # then
    await commands.run_all()
    assert await asyncio.gather(*sent) == [DONE] * 5
    assert "one-too-many" not in commands.begun


async def test_one_caller_cannot_take_all_places():
    # given
    commands = Commands(QueueLimits(per_child=8, in_all=8, seconds=60))
    sent = [commands.send(f"bear-{number}", BEAR) for number in range(7)]
    await _turns()
    # when
    for child_id in (ADA, ADA):
        with pytest.raises(ChildBusy):
            await commands.send("bear-too-many", BEAR, child_id)
    mother = commands.send("mother", MOTHER)
    await _turns()
    # then
    await commands.run_all()
    assert await asyncio.gather(mother, *sent) == [DONE] * 8


async def test_one_caller_s_share_counts_over_all_children():
    # given: one under way and two waiting of each child
    commands = Commands(QueueLimits(per_child=8, in_all=8, seconds=60))
    children = ("child-1", "child-2", "child-3")
    sent = [
        commands.send(f"{child}-{number}", BEAR, child) for child in children for number in range(3)
    ]
    await _turns()
    # when, then
    with pytest.raises(ChildBusy):
        await commands.send("too-many", BEAR, "child-1")
    first_of_another = commands.send("another", BEAR, "child-4")
    await commands.has_begun("another")
    await commands.run_all()
    await asyncio.gather(first_of_another, *sent)


async def test_all_children_together_have_a_bound():
    # given
    commands = Commands(QueueLimits(per_child=4, in_all=4, seconds=60))
    callers = [MOTHER, OFFICER, BEAR, MOTHER]
    sent = [
        commands.send(f"{n}-{number}", caller, f"child-{n}")
        for n, caller in enumerate(callers)
        for number in range(2)
    ]
    await _turns()
    assert commands.waiting == 4
    # when
    with pytest.raises(ChildBusy):
        await commands.send("too-many", OFFICER, "child-0")
    await commands.run_all()
    await asyncio.gather(*sent)


async def test_one_that_waited_too_long_is_refused_and_leaves_its_place():
    # given
    commands = Commands(QueueLimits(seconds=0.01))
    first = commands.send("first")
    await commands.has_begun("first")
    # when
    with pytest.raises(ChildBusy):
        await commands.send("second")
    assert commands.waiting == 0
    commands.end("first")
    # then
    assert await first == DONE
    assert (commands.begun, commands.queues.lines) == (["first"], 0)


async def test_one_whose_caller_is_gone_leaves_its_place():
    # given
    commands = Commands()
    first, second, third = (commands.send(name) for name in ("first", "second", "third"))
    await _turns()
    # when
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert commands.waiting == 1
    commands.end("first")
    await commands.has_begun("third")
    commands.end("third")
    # then
    assert [await first, await third] == [DONE] * 2
    assert (commands.begun, commands.queues.lines) == (["first", "third"], 0)


async def test_one_whose_caller_goes_as_its_turn_comes_hands_it_on():
    # given
    commands = Commands()
    first, second, third = (commands.send(name) for name in ("first", "second", "third"))
    await _turns()
    # when: after the first has given its turn on, before the second wakes up
    commands.end("first")
    asyncio.get_running_loop().call_soon(second.cancel)
    await first
    await commands.has_begun("third")
    commands.end("third")
    # then
    assert await third == DONE
    assert second.cancelled()
    assert (commands.begun, commands.queues.lines) == (["first", "third"], 0)


async def test_one_under_way_whose_caller_is_gone_gives_its_turn_on():
    # given
    commands = Commands()
    first, second = commands.send("first"), commands.send("second")
    await commands.has_begun("first")
    # when
    first.cancel()
    await commands.has_begun("second")
    commands.end("second")
    # then
    assert await second == DONE
    assert commands.queues.lines == 0


async def test_when_the_store_is_away_those_who_wait_get_so_at_once():
    # given
    commands = Commands()
    sent = [commands.send(f"command-{number}") for number in range(10)]
    other = commands.send("other", child_id=VIOLATION)
    await commands.has_begun("other")
    # when
    commands.end("command-0", StoreUnavailable("away"))
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    # then
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 10
    assert (commands.begun, commands.waiting) == (["command-0", "other"], 0)
    commands.end("other")
    assert await other == DONE
    # and who comes later tries again
    later = commands.send("later")
    await commands.has_begun("later")
    commands.end("later")
    assert await later == DONE


def test_the_share_of_a_caller_is_below_all_places():
    assert QueueLimits(per_child=160, in_all=200).per_caller == 120
    assert QueueLimits(per_child=160, in_all=20).per_caller == 15
    assert QueueLimits(per_child=1, in_all=1).per_caller == 1
