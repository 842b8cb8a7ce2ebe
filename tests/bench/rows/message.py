"""A plain change, RecordMessage: CPU beside an endpoint that only checks the model."""

from collections.abc import Sequence
from functools import partial
from statistics import median

from tests.bench.people import MESSAGE, Bear, talking_bears, versions
from tests.bench.results import Result
from tests.bench.rows.registration import CALLERS, CARRY, EMPTY_TIMES
from tests.bench.system import System
from tests.bench.world import Baseline, World
from tests.support.raw_http import request

BEARS = 64


def measure(world: World, rounds: int) -> Sequence[Result]:
    system, empty = world.system, world.baseline("empty")
    bears = talking_bears(system, BEARS)
    _messages(system, bears, world.scaled(20, 1))
    each = world.scaled(50, 1)
    measured, nothing = [], []
    for _ in range(rounds):
        measured.append(_messages(system, bears, each))
        nothing.append(_empty(empty, BEARS * each * EMPTY_TIMES))
    beside = partial(Result, unit="µs", baseline=median(nothing), at_most=True)
    command = median(one["command"] for one in measured)
    whole = median(sum(one.values()) for one in measured)
    return [
        beside(name="CPU a RecordMessage, command process", value=command, goal=1.6),
        beside(name="CPU a RecordMessage, whole system", value=whole),
        *(
            Result(
                name=f"CPU a RecordMessage, {process}",
                value=median(one[process] for one in measured),
                unit="µs",
            )
            for process in CARRY
        ),
    ]


def _messages(system: System, bears: Sequence[Bear], each: int) -> dict[str, float]:
    """Microseconds of CPU a message, by process; each bear sends so many, one after the other's."""
    sent = [bear.message() for _ in range(each) for bear in bears]
    with system.spent() as spent:
        system.drive("command", sent, CALLERS)
        system.until_projected(versions(bears))
    return {name: spent.of(name, len(sent)) for name in spent.seconds}


def _empty(empty: Baseline, number: int) -> float:
    _, spent = empty.drive([request("POST", "/messages", "-", MESSAGE)] * number, CALLERS)
    return spent.of_all(number)
