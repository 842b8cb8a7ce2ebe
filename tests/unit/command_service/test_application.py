"""What the default bus is wired from."""

from typing import get_args

from command_service.bus.command_bus import Command
from tests.support.command_side import CommandSide


def test_every_command_has_a_handler():
    handled = {each.command for each in CommandSide().bus.handlers}
    assert handled == {kind.__name__ for kind in get_args(Command)}


def test_the_middleware_stands_in_this_order():
    assert CommandSide().bus.middleware == [
        "Logging", "Metrics", "Audit", "authorization", "validation",
        "ChildQueues", "CircuitBreaker", "Deadline", "Retry",
    ]  # fmt: skip
