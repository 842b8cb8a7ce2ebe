"""What the default bus is wired from."""

from typing import get_args

from command_service.command_bus import Command
from command_service.default_bus import Tuning
from tests.support.command_side import CommandSide


def test_every_command_has_a_handler():
    handled = {each.command for each in CommandSide().bus.handlers}
    assert handled == {kind.__name__ for kind in get_args(Command)}


def test_the_middleware_stands_in_this_order():
    assert CommandSide().bus.middleware == [
        "Logging", "Metrics", "Audit", "authorization", "validation",
        "CircuitBreaker", "Deadline", "Retry",
    ]  # fmt: skip


def test_the_rate_limit_comes_before_any_work():
    bus = CommandSide(tuning=Tuning(commands_per_second=1)).bus
    names = bus.middleware
    assert names.index("authorization") < names.index("RateLimit") < names.index("validation")
