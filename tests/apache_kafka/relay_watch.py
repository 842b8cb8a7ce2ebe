"""What the relay tells while it cannot publish."""

import orjson

from command_service.relay.progress import Checkpoints
from deploy.local import plans
from deploy.local.state import StackFolder, StackState
from shared.mongo import Mongo
from tests.apache_kafka.ledger import WRITE_DATABASE


async def published_events(state: StackState) -> int:
    """How many events the relay says are on the topic, from its saved checkpoint."""
    mongo = Mongo(state.environment[plans.MONGO_URLS[0]])
    try:
        return (await Checkpoints(mongo.database(WRITE_DATABASE)).read()).events
    finally:
        await mongo.close()


class RelayLog:
    """The relay's log from now on."""

    def __init__(self, services: StackFolder) -> None:
        self._path = plans.log_of(services, "relay")
        self._begin = self._path.stat().st_size

    def mentions(self, text: str) -> bool:
        return any(text in message for message in self._messages())

    def _messages(self) -> list[str]:
        lines = self._path.read_bytes()[self._begin :].splitlines()
        return [orjson.loads(line)["message"] for line in lines if line.startswith(b"{")]
