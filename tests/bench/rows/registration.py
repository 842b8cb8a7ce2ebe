"""Registrations: CPU beside an endpoint that only checks the model, rate beside one that a good
engineer writes by hand, latency."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from tests.bench.load_generator import Driven
from tests.bench.people import child_body, registrations
from tests.bench.plots import Plot
from tests.bench.results import Result
from tests.bench.world import Baseline, World
from tests.support.raw_http import request

CALLERS = 64
CARRY = ("mongod", "kafka", "relay", "worker")
"""Processes that carry what the command process has accepted."""

EMPTY_TIMES = 3
"""An empty endpoint takes so little that it needs more requests for the counters' resolution."""

BY_CALLERS = (1, 4, 16, 64, 128)
SHOWN = (50, 75, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Round:
    """`spent`, `empty`: microseconds of CPU a request, by process and of the empty endpoint."""

    spent: Mapping[str, float]
    empty: float
    registered: Driven
    alone: Driven
    by_hand: Driven


def measure(world: World, rounds: int) -> Sequence[Result]:
    empty, by_hand = world.baseline("empty"), world.baseline("hand_written")
    _warm_up(world, empty, by_hand)
    done = [_round(world, empty, by_hand) for _ in range(rounds)]
    world.plots += [_latencies(done), _by_callers(world, by_hand)]
    return [*_cpu(done), *_rates(done), *_latency(done)]


def _warm_up(world: World, empty: Baseline, by_hand: Baseline) -> None:
    children = world.scaled(500, 20)
    world.system.drive("command", registrations(world.system, children), CALLERS)
    for baseline in (empty, by_hand):
        baseline.drive(_plain(children), CALLERS)


def _round(world: World, empty: Baseline, by_hand: Baseline) -> Round:
    system, children = world.system, world.scaled(3_000, 60)
    sent, there = registrations(system, children), system.children_at_rest()
    with system.spent() as spent:
        registered = system.drive("command", sent, CALLERS)
        system.until_shown(there + children)
    nothing, of_empty = empty.drive(_plain(children * EMPTY_TIMES), CALLERS)
    hand, _ = by_hand.drive(_plain(children), CALLERS)
    alone = system.drive("command", registrations(system, world.scaled(300, 6)), 1)
    return Round(
        {name: spent.of(name, children) for name in spent.seconds},
        of_empty.of_all(nothing.answered),
        registered,
        alone,
        hand,
    )


def _plain(number: int) -> list[bytes]:
    """Of new children, for an endpoint that asks for no token."""
    return [request("POST", "/children", "-", child_body()) for _ in range(number)]


def _cpu(done: Sequence[Round]) -> list[Result]:
    empty = median(one.empty for one in done)
    whole = median(sum(one.spent.values()) for one in done)
    command = median(one.spent["command"] for one in done)
    name = "CPU a registration, "
    of = partial(Result, unit="µs")
    beside = partial(of, baseline=empty, at_most=True)
    return [
        beside(name=f"{name}command process", value=command, goal=2.2),
        beside(name=f"{name}whole system", value=whole, goal=9),
        *(
            of(name=f"{name}{process}", value=median(one.spent[process] for one in done))
            for process in CARRY
        ),
    ]


def _rates(done: Sequence[Round]) -> list[Result]:
    return [
        Result(
            name="registrations, everything on one machine",
            value=median(one.registered.rate for one in done),
            unit="registrations/s",
            baseline=median(one.by_hand.rate for one in done),
            goal=1.25,
        )
    ]


def _latency(done: Sequence[Round]) -> list[Result]:
    alone = median(one.alone.milliseconds(50) for one in done)
    p99 = median(one.registered.milliseconds(99) for one in done)
    within = partial(Result, unit="ms", at_most=True)
    return [
        within(name="latency of a registration, 1 caller, p50", value=alone, goal=8),
        within(name="latency of a registration, 64 callers, p99", value=p99, goal=100),
    ]


def _latencies(done: Sequence[Round]) -> Plot:
    def of(each: str) -> list[float]:
        return [
            round(median(getattr(one, each).milliseconds(percent) for one in done), 1)
            for percent in SHOWN
        ]

    return Plot(
        title="Latency of a registration by percentile",
        x=[f"p{percent}" for percent in SHOWN],
        y="milliseconds",
        lines={
            "64 callers": of("registered"),
            "1 caller": of("alone"),
            "64 callers of the hand-written endpoint": of("by_hand"),
        },
    )


def _by_callers(world: World, by_hand: Baseline) -> Plot:
    """Once each: the plot shows a form, the table the figures."""
    number, system = world.scaled(1_000, 10), world.system
    drives: dict[str, Callable[[int], Driven]] = {
        "registrations": lambda n: system.drive("command", registrations(system, number), n),
        "hand-written endpoint": lambda n: by_hand.drive(_plain(number), n)[0],
    }
    return Plot(
        title="Registrations a second by the number of callers",
        x=[str(callers) for callers in BY_CALLERS],
        y="a second",
        lines={
            name: [round(drive(callers).rate) for callers in BY_CALLERS]
            for name, drive in drives.items()
        },
    )
