"""`teddy replay`: rebuild the read models from the events, and look into both. Also
`python -m projection_worker.replay`, with the settings of the environment."""

import click
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from projection_worker.replay.commands.events import events, republish
from projection_worker.replay.commands.generations import drop_old, rollback, status
from projection_worker.replay.commands.rebuild import rebuild
from projection_worker.replay.commands.show import show
from projection_worker.replay.commands.verify import verify
from shared.command_line import run_command
from shared.event_store.port import StoreUnavailable


@click.group()
def replay() -> None:
    """Rebuild the read models from the events, and look into both."""


for _command in (rebuild, rollback, status, drop_old, show, events, republish, verify):
    replay.add_command(_command)

FAILURES = (PyMongoError, KafkaError, StoreUnavailable, OSError)


def main() -> None:
    run_command(replay, "teddy", FAILURES)


if __name__ == "__main__":
    main()
