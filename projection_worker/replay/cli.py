"""The commands `replay ...`: read models from the beginning, and what they are made of."""

import click

from projection_worker.replay.commands.events import events
from projection_worker.replay.commands.generations import drop_old, rebuild, rollback, status
from projection_worker.replay.commands.republish import republish
from projection_worker.replay.commands.show import show
from projection_worker.replay.commands.verify import verify


@click.group()
def replay() -> None:
    """Rebuild the read models from the events, and look into both."""


for _command in (rebuild, rollback, status, drop_old, show, events, republish, verify):
    replay.add_command(_command)
