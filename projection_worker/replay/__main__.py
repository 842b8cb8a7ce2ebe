"""`python -m projection_worker.replay`: `teddy replay` with the settings of the environment."""

from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from projection_worker.replay.cli import replay
from shared.command_line import run_command
from shared.event_store.port import StoreUnavailable

FAILURES = (PyMongoError, KafkaError, StoreUnavailable, OSError)


def main() -> None:
    run_command(replay, "teddy", FAILURES)


if __name__ == "__main__":
    main()
