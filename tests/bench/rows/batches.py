"""POST /v1/commands:batch: RecordMessage in batches of 1,000, beside a hand-written endpoint that
takes them one by one, and beside our own, one by one, too."""

from collections.abc import Sequence
from statistics import median

import orjson

from tests.bench.cpu import Spent
from tests.bench.people import MESSAGE, Bear, talking_bears, versions
from tests.bench.results import Result
from tests.bench.system import System
from tests.bench.world import World
from tests.support.batches import item
from tests.support.raw_http import request

BEARS, CALLERS = 16, 32


def measure(world: World, rounds: int) -> Sequence[Result]:
    system, by_hand = world.system, world.baseline("hand_written")
    size, singly = world.scaled(1_000, 10), world.scaled(100, 1)
    plain = [request("POST", "/children/c/messages", "-", MESSAGE)] * (BEARS * singly)
    hand, one_by_one, in_batches, rates = [], [], [], []
    for _ in range(rounds):
        bears = talking_bears(system, BEARS)  # new ones: a bear has 1,200 commands a minute
        system.until_projected(versions(bears))
        hand.append(by_hand.drive(plain, CALLERS)[0].rate)
        messages = [bear.message() for _ in range(singly) for bear in bears]
        one_by_one.append(_sent(system, bears, messages, CALLERS, len(messages))[1])
        batches = [_batch(bear, size) for bear in bears]
        rate, cpu = _sent(system, bears, batches, BEARS, BEARS * size)
        rates.append(rate)
        in_batches.append(cpu)
    return [
        Result(
            name="commands through POST /v1/commands:batch",
            value=median(rates),
            unit="commands/s",
            baseline=median(hand),
            goal=10,
        ),
        *(
            Result(
                name=f"CPU a command in a batch, {where} (baseline: one by one)",
                value=median(one[which] for one in in_batches),
                unit="µs",
                baseline=median(one[which] for one in one_by_one),
            )
            for which, where in enumerate(("command process", "whole system"))
        ),
    ]


def _sent(
    system: System, bears: Sequence[Bear], requests: Sequence[bytes], callers: int, commands: int
) -> tuple[float, tuple[float, float]]:
    """Commands a second until the last answer; microseconds of CPU a command until all is
    projected, of the command process and of all."""
    with system.spent() as spent:
        driven = system.drive("command", requests, callers)
        system.until_projected(versions(bears))
    return commands / driven.seconds, _microseconds(spent, commands)


def _microseconds(spent: Spent, commands: int) -> tuple[float, float]:
    return spent.of("command", commands), spent.of_all(commands)


def _batch(bear: Bear, size: int) -> bytes:
    """The bear's next messages. Its version tells whether each was executed."""
    path = {"child_id": bear.child_id, "conversation_id": bear.conversation_id}
    said = {"role": "bear", "word_count": 12}
    numbers = range(bear.version, bear.version + size)
    items = [item("RecordMessage", f"{bear.conversation_id}-{n}", said, **path) for n in numbers]
    bear.version += size
    return request("POST", "/v1/commands:batch", bear.bearer, orjson.dumps({"commands": items}))
