"""Commands of one child that arrived together, on their way to a handler that takes several."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from command_service.bus.command_bus import CommandResult, NextTogether, SentCommand
from command_service.bus.pipeline import Pipeline, authorize
from command_service.bus.resilience import deadline
from command_service.child.decider import in_normal_form
from command_service.child.errors import CommandRefused


@dataclass(frozen=True, slots=True)
class Together:
    """What `Pipeline` is for one command: the same steps, once for all of them."""

    pipeline: Pipeline

    async def __call__(
        self, sent: Sequence[SentCommand], handle: NextTogether
    ) -> list[CommandResult]:
        """The first of `sent`, up to one that is refused without I/O. What is not executed is not
        recorded: it is executed singly, and recorded then."""
        started, steps = time.perf_counter(), self.pipeline
        normal = list(_unrefused(sent))
        if not normal:
            return []
        command, context = normal[0]
        with steps.observer.room_for(len(normal)):
            async with steps.queues.turn(command.child_id, context.principal):
                with steps.breaker.watching():
                    async with deadline(steps.timeout_seconds):
                        results = await handle(normal)
            for each, result in zip(normal, results, strict=False):
                steps.observer.done(each.command, each.context, result, started)
        return results


def _unrefused(sent: Sequence[SentCommand]) -> Iterator[SentCommand]:
    """In normal form, up to the first that is refused."""
    with suppress(CommandRefused):
        for command, context in sent:
            authorize(command, context.principal)
            yield SentCommand(in_normal_form(command), context)
