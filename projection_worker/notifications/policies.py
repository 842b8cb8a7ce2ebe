"""Alert policies as the live read models hold them."""

from collections.abc import Iterable

from shared.events.child import AlertChannel
from shared.mongo import Database
from shared.read_models.generations import live_generation
from shared.read_models.models import Model


async def policies_naming(database: Database, channels: Iterable[AlertChannel]) -> dict[str, int]:
    """How many children's policies name each of `channels`, without those that none names."""
    live = await live_generation(database)
    safety = live.collection(database, Model.SAFETY)
    found = {}
    for channel in channels:
        wanted = {"alert_policy.channels": channel.value}
        if count := await safety.count_documents(wanted):
            found[channel.value] = count
    return found
