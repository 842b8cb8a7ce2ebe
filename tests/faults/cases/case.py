"""What a case is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.world import World

Inject = Callable[[World], Awaitable[int]]
"""Injects the fault and returns how many faults occurred."""


@dataclass(frozen=True, slots=True)
class Case:
    """`commands` at `rate` a second run beside. `keeps_topic`: the broker keeps what it
    acknowledged, so the topic is checked, too."""

    name: str
    injects: str
    inject: Inject
    commands: int = 450
    rate: float = 75.0
    keeps_topic: bool = True
